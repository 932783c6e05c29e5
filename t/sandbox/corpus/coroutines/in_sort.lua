-- expect: ok
local compare = coroutine.wrap(function(a, b)
    while true do a, b = coroutine.yield(a < b) end
end)
local t = {}
for i = 1, 100 do t[i] = (i * 37) % 101 end
table.sort(t, compare)
