-- expect: cpu
-- Each byte of the subject walks through the whole set.
local set = "[" .. ("b"):rep(200000) .. "]"
for _ = 1, 1000 do ("a"):rep(10000):find(set) end
