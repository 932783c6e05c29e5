-- expect: output|cpu
while true do ngx.say("LEAK") end
