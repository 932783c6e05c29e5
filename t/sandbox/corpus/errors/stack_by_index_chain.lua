-- expect: ok
local t = {}
for _ = 1, 10000 do t = setmetatable({}, { __index = t }) end
pcall(function() return t.x end)
local loop = {}
setmetatable(loop, { __index = loop })
pcall(function() return loop.x end)
