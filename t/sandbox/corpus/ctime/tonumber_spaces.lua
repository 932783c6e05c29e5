-- expect: time
-- profile: patient
local s = (" "):rep(500000) .. "1" .. (" "):rep(500000)
while true do tonumber(s) end
