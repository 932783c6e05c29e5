-- expect: ok
-- says: false
local co = coroutine.create(string.find)
ngx.say((coroutine.resume(co, ("a"):rep(200) .. "cb", "a-a-b[")))
