-- expect: error
local mt = {}
mt.__tostring = function(self) error(self) end
error(setmetatable({}, mt))
