-- expect: time
-- profile: patient
-- One instruction copies thousands of values.
local function f(...)
    for _ = 1, 1e9 do select("#", ...) end
end
local t = {}
for i = 1, 5000 do t[i] = i end
f(unpack(t))
