-- expect: ok
-- says: false normal
local parent
parent = coroutine.create(function()
    return coroutine.wrap(function() return (coroutine.resume(parent)), coroutine.status(parent) end)()
end)
local _, ok, status = coroutine.resume(parent)
ngx.say(tostring(ok), " ", tostring(status))
