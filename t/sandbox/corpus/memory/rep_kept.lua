-- expect: memory
local t = {}
for i = 1, 1e6 do t[i] = ("x"):rep(10000 + i) end
