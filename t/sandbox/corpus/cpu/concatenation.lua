-- expect: cpu
local mt = { __concat = function() while true do end end }
return "a" .. "b" .. setmetatable({}, mt) .. "c"
