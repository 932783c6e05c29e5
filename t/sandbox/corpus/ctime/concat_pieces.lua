-- expect: ok
-- profile: roomy
-- says: fine
-- Many values are put together piece by piece, with the same outcome.
local values = {}
for i = 1, 4321 do values[i] = i end
for _, range in ipairs { { 1, 4321 }, { 1, 1000 }, { 1, 1001 }, { 2, 4001 }, { 4321, 4321 }, { 5, 4 } } do
    local from, to = range[1], range[2]
    for _, separator in ipairs { "", ", " } do
        local want = ""
        for i = from, to do want = want .. i .. (i < to and separator or "") end
        assert(table.concat(values, separator, from, to) == want)
    end
end
assert(table.concat(values) == table.concat(values, nil, 1, 4321))
values[3000] = {}
assert(select(2, pcall(table.concat, values)):find("invalid value (table) at index 3000", 1, true))
assert(not pcall(table.concat, values, "", 1, 0 / 0))
assert(not pcall(table.concat, values, "", -1e300, 1e300))
ngx.say("fine")
