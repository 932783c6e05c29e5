-- expect: time
-- profile: patient
-- An addition that reads a million digits: not even a call.
local s = ("1"):rep(1000000)
local n = 0
while true do n = n + s end
