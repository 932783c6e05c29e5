-- expect: memory|error|cpu|time
local function f() return coroutine.wrap(f)() end
f()
