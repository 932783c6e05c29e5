-- expect: error
-- profile: narrow
ngx.say(("").find)
local s = "x"
ngx.say("LEAK", s:find("x"), s.gsub)
