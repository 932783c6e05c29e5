-- expect: ok
local function compare(a, b)
    table.sort({ 3, 1, 2 }, compare)
    return a < b
end
pcall(table.sort, { 3, 1, 2 }, compare)
