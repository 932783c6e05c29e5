-- expect: ok
-- The handler of a stack overflow overflows too.
local function f() return 1 + f() end
for _ = 1, 3 do xpcall(f, f) end
