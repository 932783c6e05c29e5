-- expect: cpu
-- Two that wake each other by turns.
local a, b
a = coroutine.create(function() while true do coroutine.yield(b) end end)
b = coroutine.create(function() while true do coroutine.yield(a) end end)
local _, co = coroutine.resume(a)
while true do _, co = coroutine.resume(co) end
