-- expect: cpu
-- A search that is an iterator itself: what calls it is an instruction of the loop.
local p = (".-"):rep(4) .. "y"
while true do
    for _ in string.find, ("x"):rep(3000), p do end
end
