-- expect: error
local t = { "LEAK" }
t[2] = t
ngx.say(t)
