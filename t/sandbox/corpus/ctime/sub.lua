-- expect: time
-- profile: patient
-- Each is a copy of nearly everything, and one instruction.
local s = ("x"):rep(700000)
while true do local _ = s:sub(2) end
