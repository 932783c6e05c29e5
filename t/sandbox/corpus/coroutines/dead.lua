-- expect: ok
-- says: false dead false
local co = coroutine.create(function() end)
coroutine.resume(co)
local wrapped = coroutine.wrap(function() error("x") end)
pcall(wrapped)
ngx.say((coroutine.resume(co)), " ", coroutine.status(co), " ", (pcall(wrapped)))
