-- expect: time
-- profile: patient
local f = ("%99d"):rep(200)
local t = {}
for i = 1, 200 do t[i] = i end
while true do f:format(unpack(t)) end
