-- expect: ok
-- returns: 256 00 ff
local t = {}
for i = 0, 255 do t[i + 1] = string.char(i) end
return table.concat(t)
