-- expect: ok
-- profile: roomy
-- says: fine
-- Garbage is no use of memory: a hundred megabytes, of which little lives.
local t
for i = 1, 1000 do
    t = ("x"):rep(100000) .. i
end
ngx.say(#t > 100000 and "fine")
