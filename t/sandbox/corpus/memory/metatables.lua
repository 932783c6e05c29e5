-- expect: memory
local t = setmetatable({}, {})
while true do t = setmetatable({}, { __index = t }) end
