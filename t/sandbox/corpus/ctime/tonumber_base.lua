-- expect: time
-- profile: patient
local s = ("z"):rep(1000000)
while true do tonumber(s, 36) end
