-- expect: error
local t = {}
t[1] = t
ngx.say(t)
