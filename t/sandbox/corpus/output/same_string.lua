-- expect: output
-- Little memory, much output.
local s = ("LEAK"):rep(1000)
local t = {}
for i = 1, 1000 do t[i] = s end
ngx.say(t)
