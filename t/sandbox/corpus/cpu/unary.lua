-- expect: error
-- message: stack overflow
local mt = {}
mt.__unm = function(a) return -a end
return -setmetatable({}, mt)
