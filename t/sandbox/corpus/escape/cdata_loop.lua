-- expect: cpu|error
local i = 0LL
while true do i = i + 1LL end
