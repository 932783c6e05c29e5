-- expect: ok
-- says: false
-- a resumes b resumes c resumes a.
local a, b, c
a = coroutine.create(function() return coroutine.resume(b) end)
b = coroutine.create(function() return coroutine.resume(c) end)
c = coroutine.create(function() return coroutine.resume(a) end)
local results = { coroutine.resume(a) }
ngx.say(tostring(results[4]))
