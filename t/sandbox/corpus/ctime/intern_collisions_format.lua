-- expect: time
-- profile: patient
local f = ("x"):rep(280) .. "%08d" .. ("y"):rep(112)
local kept, i = {}, 0
while true do
    i = i + 1
    kept[i % 5000] = f:format(i)
end
