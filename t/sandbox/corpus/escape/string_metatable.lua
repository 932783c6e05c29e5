-- expect: ok
-- says: false false false
ngx.say(tostring(getmetatable("")), " ", (pcall(setmetatable, "", {})), " ",
    (pcall(function() getmetatable("").__index = { upper = 1 } end)))
