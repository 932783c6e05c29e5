-- expect: ok
local co = coroutine.wrap(function() return xpcall(error, coroutine.yield) end)
co()
pcall(co)
