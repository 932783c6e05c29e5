-- expect: memory
-- Each suspended with a deep stack.
local t = {}
local function deep(n)
    if n == 0 then coroutine.yield() return 0 end
    return 1 + deep(n - 1)
end
for i = 1, 1e9 do
    t[i] = coroutine.create(deep)
    coroutine.resume(t[i], 3000)
end
