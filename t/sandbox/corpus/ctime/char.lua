-- expect: time
-- profile: patient
local t = {}
for i = 1, 7000 do t[i] = i % 256 end
while true do string.char(unpack(t)) end
