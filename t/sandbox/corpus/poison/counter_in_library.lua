-- expect: ok
-- says: 1 1 1
string.counter = (string.counter or 0) + 1
ngx.counter = (ngx.counter or 0) + 1
_G[1] = (_G[1] or 0) + 1
ngx.say(string.counter, " ", ngx.counter, " ", _G[1])
