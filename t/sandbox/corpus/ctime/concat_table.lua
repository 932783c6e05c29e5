-- expect: cpu
local t = {}
for i = 1, 5000 do t[i] = ("x"):rep(50) end
while true do table.concat(t, "-") end
