-- expect: error|output|cpu
local t = {}
t[1] = t
ngx.say(t)
