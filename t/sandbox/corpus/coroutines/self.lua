-- expect: ok
-- says: false
local co
co = coroutine.create(function() return coroutine.resume(co) end)
ngx.say(tostring(select(2, coroutine.resume(co))))
