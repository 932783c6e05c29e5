-- expect: time
-- profile: patient
-- Thousands of values with each switch.
local t = {}
for i = 1, 5000 do t[i] = i end
local co = coroutine.wrap(function(...)
    while true do coroutine.yield(...) end
end)
while true do co(unpack(t)) end
