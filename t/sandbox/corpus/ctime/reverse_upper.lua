-- expect: cpu
local s = ("x"):rep(500000)
while true do s = s:reverse():upper():lower() .. "" end
