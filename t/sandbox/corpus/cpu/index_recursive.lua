-- expect: memory
local mt = {}
mt.__index = function(t, k) return t[k .. "x"] or t[k] end
return setmetatable({}, mt).x
