-- expect: ok
-- says: fine
-- An array is not made as long as its greatest key says.
local t = {}
t[2 ^ 26], t[2 ^ 30], t[2 ^ 53] = true, true, true
rawset(t, 2 ^ 31 - 1, true)
ngx.say("fine")
