-- expect: ok
-- says: fine
local co = coroutine.create(coroutine.resume)
coroutine.resume(co, co)
local inner = coroutine.create(coroutine.yield)
coroutine.resume(coroutine.create(coroutine.resume), inner, 1)
coroutine.resume(coroutine.create(coroutine.wrap(coroutine.yield)))
pcall(coroutine.wrap(pcall), coroutine.yield)
ngx.say("fine")
