-- expect: output
local t = {}
for i = 1, 5000 do t[i] = "LEAK LEAK LEAK LEAK" end
ngx.say(unpack(t))
