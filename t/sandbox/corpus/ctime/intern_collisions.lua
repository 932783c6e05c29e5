-- expect: time
-- profile: patient
-- The hash of long strings looks at a few of their bytes. These differ in the others, and all share one chain.
local head, tail = ("x"):rep(280), ("y"):rep(112)
local kept, i = {}, 0
while true do
    i = i + 1
    kept[i % 5000] = head .. ("%08d"):format(i) .. tail
end
