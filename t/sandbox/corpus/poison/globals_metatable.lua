-- expect: ok
-- says: poison
setmetatable(_G, { __index = function() return "poison" end, __newindex = function() error("poison") end, __metatable = "poison" })
ngx.say(no_such_name)
