-- One instruction that looks at megabytes.
local x = string.rep("x", 2e6)
local a, b = x .. "a", x .. "b"
local less
while true do less = a < b end
