-- expect: ok
-- says: fine
for i = 1, 50 do
    local co = coroutine.wrap(function()
        pcall(function() coroutine.yield() end)
        while true do end
    end)
    co()
    _G["c" .. i] = co
end
ngx.say("fine")
