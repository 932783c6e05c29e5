-- expect: time
-- profile: patient
local s = ("1"):rep(1000000)
while true do pcall(function() for _ = s, 1 do end end) end
