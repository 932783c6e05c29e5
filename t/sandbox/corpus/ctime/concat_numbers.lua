-- expect: time
-- profile: patient
local t = {}
for i = 1, 20000 do t[i] = i + 1 / 3 end
while true do table.concat(t) end
