-- expect: time
-- profile: patient
local s = ("1"):rep(1000000)
for _ = 1, 100 do pcall(function() for _ = s, 1 do end end) end
