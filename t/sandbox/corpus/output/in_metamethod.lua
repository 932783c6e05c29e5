-- expect: output
return setmetatable({}, { __index = function() while true do ngx.say(("LEAK"):rep(1000)) end end }).x
