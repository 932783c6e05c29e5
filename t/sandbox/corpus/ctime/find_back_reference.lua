-- expect: cpu
local s = ("a"):rep(100000)
for _ = 1, 100 do s:find("(a*)b%1") end
