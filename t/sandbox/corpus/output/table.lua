-- expect: output
local t = {}
for i = 1, 50000 do t[i] = "LEAK" end
ngx.say(t)
