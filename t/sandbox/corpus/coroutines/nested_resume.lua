-- expect: error
local function nest(n)
    if n == 0 then return 0 end
    local _, m = coroutine.resume(coroutine.create(nest), n - 1)
    return m + 1
end
nest(100000)
