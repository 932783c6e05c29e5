-- expect: ok
-- profile: roomy
-- says: fine
-- Coroutines whose stacks have no room for the arguments that they are resumed with are dead, and stay so.
local values = {}
for i = 1, 7500 do values[i] = i end
local function deep(depth)
    if depth == 0 then return coroutine.yield() end
    return (deep(depth - 1))
end
for depth = 12000, 22000, 1000 do
    local co = coroutine.create(deep)
    if coroutine.resume(co, depth) and not coroutine.resume(co, unpack(values)) then
        assert(coroutine.status(co) == "dead")
        for count = 0, 3 do assert(not coroutine.resume(co, unpack(values, 1, count))) end
    end
end
ngx.say("fine")
