-- expect: ok
-- says: 2000000
-- Half of what it may take: each run after one that hit the limit must still get it.
local s = ("x"):rep(1000000)
ngx.say(#s + #("y"):rep(1000000))
