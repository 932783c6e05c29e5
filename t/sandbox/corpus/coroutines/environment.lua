-- expect: ok
-- says: true
local g = coroutine.wrap(function() mine = 1 return _G end)()
ngx.say(g == _G and mine == 1)
