-- expect: cpu
-- McIlroy's adversary: it makes any quicksort quadratic.
local n = 20000
local value, solid, candidate, gas = {}, 0, 0, n
local t = {}
for i = 1, n do t[i], value[i] = i, gas end
table.sort(t, function(a, b)
    if value[a] == gas and value[b] == gas then
        local frozen = a == candidate and a or b
        value[frozen], solid = solid, solid + 1
    end
    if value[a] == gas then candidate = a elseif value[b] == gas then candidate = b end
    return value[a] < value[b]
end)
