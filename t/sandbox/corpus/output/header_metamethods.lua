-- expect: ok
-- ways: file
ngx.header["X-A"] = setmetatable({}, { __index = function() while true do end end, __len = function() return 1e9 end, __tostring = function() return "x" end })
