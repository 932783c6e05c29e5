-- expect: error
-- profile: roomy
-- message: stack overflow
-- A parent whose stack has no room for what its coroutine yields.
local values = {}
for i = 1, 7500 do values[i] = i end
local function deep(depth)
    if depth > 0 then return (deep(depth - 1)) end
    return select("#", coroutine.resume(coroutine.create(function() coroutine.yield(unpack(values)) end)))
end
for depth = 12000, 22000, 250 do pcall(deep, depth) end
