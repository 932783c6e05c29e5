-- expect: output
while true do ngx.say(("LEAK"):rep(1000)) end
