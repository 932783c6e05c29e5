-- expect: cpu
local i = 0LL
while true do i = i + 1LL end
