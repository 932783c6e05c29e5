-- expect: ok
-- returns: {}
return setmetatable({}, { __index = function() return "LEAK" end, __metatable = false })
