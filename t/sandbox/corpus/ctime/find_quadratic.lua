-- expect: cpu
local s = ("a"):rep(300000)
for _ = 1, 100 do s:find("a*b") end
