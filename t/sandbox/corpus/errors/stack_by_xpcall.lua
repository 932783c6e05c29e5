-- expect: ok
local function f(...) return 1, xpcall(f, f, ...) end
f()
