-- expect: cpu
local function f() return 1 + f() end
local function handler() return xpcall(f, handler) end
xpcall(f, handler)
