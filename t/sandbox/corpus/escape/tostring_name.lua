-- expect: ok
local t = setmetatable({}, { __name = ("x"):rep(1000) })
ngx.say(#tostring(t) > 0)
