-- expect: output
while true do pcall(ngx.say, ("LEAK"):rep(10000)) end
