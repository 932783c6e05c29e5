-- expect: cpu
local t = {}
for i = 1, 7000 do t[i] = "" end
while true do ngx.print(unpack(t)) end
