-- expect: cpu
-- Recursion through what is C elsewhere.
local mt = {}
mt.__tostring = function(self) return tostring(self) end
pcall(tostring, setmetatable({}, mt))
mt.__tostring = tostring
pcall(tostring, setmetatable({}, mt))
