-- expect: cpu
-- A search that is the body of a coroutine: no Lua function of its own is around it.
return coroutine.wrap(string.find)(("x"):rep(3000), (".-"):rep(5) .. "y")
