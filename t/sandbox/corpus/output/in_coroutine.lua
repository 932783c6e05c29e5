-- expect: output
coroutine.wrap(function() while true do ngx.say(("LEAK"):rep(1000)) end end)()
