-- expect: cpu
local function count(...)
    local n = 0
    for i = 1, select("#", ...) do n = n + select(i, ...) end
    return n
end
local t = {}
for i = 1, 200 do t[i] = i end
while true do count(unpack(t)) end
