-- expect: ok
-- says: fine
-- A function's globals are the run's own, wherever it was made.
local f = coroutine.wrap(function() return _G end)
ngx.say(f() == _G and _G._G == _G and "fine" or "other")
