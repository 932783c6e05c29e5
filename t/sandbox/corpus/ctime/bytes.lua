-- expect: time
-- profile: patient
local s = ("x"):rep(1000000)
while true do
    pcall(string.byte, s, 1, -1)
    s:byte(1, 5000)
end
