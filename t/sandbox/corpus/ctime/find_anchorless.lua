-- expect: cpu
local s = (" "):rep(200000) .. "x"
for _ = 1, 100 do s:find("%s+$") end
