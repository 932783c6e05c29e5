-- expect: cpu
local co = coroutine.create(function() while true do end end)
local ok, err = coroutine.resume(co)
ngx.say("LEAK: ", tostring(ok), tostring(err), coroutine.status(co))
