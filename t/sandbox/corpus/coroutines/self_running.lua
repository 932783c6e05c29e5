-- expect: ok
-- says: false
ngx.say(tostring(coroutine.wrap(function() return (coroutine.resume(coroutine.running())) end)()))
