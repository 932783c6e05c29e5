-- expect: ok
-- says: false false false false false
ngx.say((pcall(coroutine.create)), " ", (pcall(coroutine.create, {})), " ", (pcall(coroutine.resume, function() end)), " ",
    (pcall(coroutine.status, 1)), " ", (pcall(coroutine.wrap, "x")))
