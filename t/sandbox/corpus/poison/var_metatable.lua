-- expect: ok
-- says: false
-- ngx.var has a metatable that all runs share.
local found = getmetatable(ngx.var)
if type(found) == "table" then found.__index = function() return "poison" end end
ngx.say(tostring(found))
