-- expect: ok
local t = {}
for i = 1, 7900 do t[i] = i end
return unpack(t)
