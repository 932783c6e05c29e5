-- expect: ok
local function f() return pcall(f) end
f()
local function g() return 1, pcall(g) end
g()
