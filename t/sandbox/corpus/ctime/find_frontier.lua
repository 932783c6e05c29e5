-- expect: cpu
local s = ("a"):rep(1000000)
for _ = 1, 1e6 do s:find("%f[%z]b") end
