-- expect: error
-- Deeper than a C stack is.
local t = { "LEAK" }
for _ = 1, 20000 do t = { t } end
ngx.say(t)
