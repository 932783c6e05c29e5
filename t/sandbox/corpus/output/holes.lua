-- expect: output
-- Each hole is a "nil".
local t = {}
t[1e6] = "LEAK"
t[1] = 1
ngx.say(t)
