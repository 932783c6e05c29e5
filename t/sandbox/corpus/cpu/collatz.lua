-- expect: cpu
-- Honest work that is too much.
local best, length = 1, 1
for i = 1, 1e7 do
    local n, steps = i, 1
    while n ~= 1 do
        n = n % 2 == 0 and n / 2 or 3 * n + 1
        steps = steps + 1
    end
    if steps > length then best, length = i, steps end
end
ngx.say(best)
