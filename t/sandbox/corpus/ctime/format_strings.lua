-- expect: time
-- profile: patient
local s = ("x"):rep(100000)
while true do ("%s%s%s"):format(s, s, s) end
