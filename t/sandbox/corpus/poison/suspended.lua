-- expect: ok
-- says: fine
-- Coroutines that wait with changes still to make.
for i = 1, 100 do
    local co = coroutine.create(function()
        coroutine.yield()
        _G.stray, string.rep = "poison", nil
        ngx.say("LEAK")
    end)
    coroutine.resume(co)
    _G["co" .. i] = co
end
ngx.say("fine")
