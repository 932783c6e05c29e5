-- expect: cpu
local t = {}
for i = 1, 50000 do t[i] = i end
while true do
    table.remove(t, 1)
    t[50000] = 1
end
