-- expect: cpu|memory
-- A few instructions that fill new memory each time: the memory counts as instructions, too.
local s, n = ("x"):rep(20000), 0
while true do
    n = n + 1
    local t = s .. n
end
