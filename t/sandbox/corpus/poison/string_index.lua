-- expect: ok
-- says: fine
-- The table that strings look into, if it can be had by any way.
local index = string
pcall(function() index.__index = index end)
setmetatable(string, { __index = function(_, name) return function() return name end end })
index.rep, index.format, index.sub = nil, nil, nil
ngx.say("fine")
