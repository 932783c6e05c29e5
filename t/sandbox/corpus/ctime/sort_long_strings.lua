-- expect: time
-- profile: patient
-- A comparison walks through all that the strings have in common.
local t = {}
local s = ("x"):rep(20000)
for i = 1, 60 do t[i] = s .. i end
while true do
    for i = 1, 60 do t[i], t[61 - i] = t[61 - i], t[i] end
    table.sort(t)
end
