-- expect: memory
local s = ("x"):rep(500000)
local i = 0
while true do
    i = i + 1
    local _ = s .. i
end
