-- expect: time
-- profile: patient
local t = {}
for i = 1, 30000 do t[i + 0.5] = true end
for i = 1, 30000 do t[i + 0.5] = nil end
while true do
    for _ in pairs(t) do end
end
