-- expect: memory
local t = {}
local s = ("xy"):rep(100000)
for i = 1, 1e6 do
    t[i] = (s .. i):reverse()
end
