-- expect: ok
-- Positions that are none. Those below 1 cost the stock function 2^31 steps.
local function try(...) pcall(table.insert, {}, ...) end
try(2 ^ 31, 1)
try(1e300, 1)
try(0 / 0, 1)
pcall(table.remove, {}, 2 ^ 31)
