-- expect: time
-- profile: patient
-- The quadratic case of a plain search.
local s, needle = ("a"):rep(1000000), ("a"):rep(500000) .. "b"
for _ = 1, 1e6 do s:find(needle, 1, true) end
