-- expect: memory
local s = ("x"):rep(100000)
return #("%s"):rep(100):format(unpack((function()
    local t = {}
    for i = 1, 100 do t[i] = s end
    return t
end)()))
