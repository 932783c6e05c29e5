-- expect: ok
-- says: 1 2 true 3
local co = coroutine.wrap(function()
    local results = { pcall(function()
        coroutine.yield(1)
        return coroutine.yield(2)
    end) }
    coroutine.yield(tostring(results[1]) .. " " .. results[2])
end)
ngx.say(co(), " ", co(), " ", co(3))
