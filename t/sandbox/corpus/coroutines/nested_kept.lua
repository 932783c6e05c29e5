-- expect: ok
-- A depth that is honest.
local function nest(n)
    if n == 0 then return 0 end
    return coroutine.wrap(nest)(n - 1) + 1
end
if nest(50) ~= 50 then error("wrong depth") end
