-- expect: ok
-- says: true true
-- Masked ones are still one for each object.
local a, b = {}, {}
ngx.say(tostring(a) == tostring(a), " ", tostring(a) ~= tostring(b))
