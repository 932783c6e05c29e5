-- expect: ok|time
local function f(...) return 1, xpcall(f, f, ...) end
f()
