-- expect: error
-- A chain of generators that grows by each prime.
local function generate() for n = 2, 1e9 do coroutine.yield(n) end end
local function filter(p, g)
    for n in g do
        if n % p ~= 0 then coroutine.yield(n) end
    end
end
local g = coroutine.wrap(generate)
while true do
    local p, before = g(), g
    g = coroutine.wrap(function() filter(p, before) end)
end
