-- expect: time
-- profile: patient
-- Each call looks through all the slots that were used once.
local t = {}
for i = 1, 60000 do t["k" .. i % 100 .. i] = nil end
for i = 1, 30000 do t[i + 0.5] = true end
for i = 1, 30000 do t[i + 0.5] = nil end
while true do next(t) end
