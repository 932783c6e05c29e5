-- expect: time
-- profile: patient
local s = ("1"):rep(1000000)
while true do tonumber(s) end
