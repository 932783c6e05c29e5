-- expect: output
local t = {}
t[2 ^ 31], t[1] = "LEAK", 1
ngx.say(t)
