-- expect: ok
-- says: 5
local n = 0
for _, value in ipairs { function() end, coroutine.create(function() end), { {}, print = 1 }, { a = 1 }, { function() end } } do
    if not pcall(ngx.say, "LEAK", value) then n = n + 1 end
end
ngx.say(n)
