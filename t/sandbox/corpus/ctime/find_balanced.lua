-- expect: cpu
local s = ("("):rep(200000)
for _ = 1, 100 do s:find("%b()") end
