-- expect: cpu|memory
-- Keys made so that their hashes meet, as far as that can be known from outside.
local t, i = {}, 0
while true do
    i = i + 1
    t[i * 2 ^ 32] = true
    if i % 5000 == 0 then t = {} end
end
