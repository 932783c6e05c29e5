-- expect: output
while true do ngx.say("LEAK") end
