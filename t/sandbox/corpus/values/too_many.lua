-- expect: error
local t = {}
for i = 1, 100000 do t[i] = i end
return unpack(t)
