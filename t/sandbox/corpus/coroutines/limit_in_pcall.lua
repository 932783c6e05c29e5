-- expect: cpu
pcall(coroutine.wrap(function() pcall(function() while true do end end) end))
ngx.say("LEAK")
