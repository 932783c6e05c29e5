-- expect: error
local t = {}
for i = 0, 255 do t[i + 1] = string.char(i) end
error(table.concat(t), 0)
