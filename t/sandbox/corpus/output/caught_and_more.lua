-- expect: output
pcall(function() while true do ngx.say(("LEAK"):rep(1000)) end end)
ngx.say("LEAK")
