-- expect: ok
-- says: false
local co
co = coroutine.wrap(function() return (pcall(co)) end)
ngx.say(tostring(co()))
