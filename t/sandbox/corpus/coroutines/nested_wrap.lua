-- expect: error
-- Each level is a level of C in stock LuaJIT, which ends with a crash.
local function nest(n)
    if n == 0 then return 0 end
    return coroutine.wrap(nest)(n - 1) + 1
end
ngx.say(nest(100000))
