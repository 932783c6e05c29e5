-- expect: ok
-- says: fine
-- The search for a border must not run away with what numbers can be.
local t = {}
for i = 0, 52 do t[2 ^ i] = true end
for _ = 1, 1000 do local _ = #t end
t[2 ^ 53], t[2 ^ 31], t[2 ^ 31 - 1], t[-2 ^ 31] = true, true, true, true
for _ = 1, 1000 do local _ = #t end
ngx.say("fine")
