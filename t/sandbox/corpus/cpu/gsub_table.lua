-- expect: cpu
return ("x"):gsub(".", setmetatable({}, { __index = function() while true do end end }))
