-- expect: ok
-- ways: api thread
-- args: plain
-- says: 5 1 x nil true b
local a, b, c, d, e = ...
ngx.say(select("#", ...), " ", a, " ", b, " ", tostring(c), " ", tostring(d), " ", e.list[1].a)
