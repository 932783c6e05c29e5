-- expect: ok
-- Many fixed parameters with few arguments, deep in the stack.
local function f(p1, p2, p3, p4, p5, p6, p7, p8, p9, p10, p11, p12, p13, p14, p15, p16, p17, p18, p19, p20, p21, p22, p23, p24, p25, p26, p27, p28, p29, p30,
    p31, p32, p33, p34, p35, p36, p37, p38, p39, p40, p41, p42, p43, p44, p45, p46, p48, p49, p50, ...)
    local a1, a2, a3, a4, a5, a6, a7 = p1, p2, p3, p4, p5, p6, p7
    return p50, a7, ...
end
for _ = 1, 1000 do f() end
local function deep(n) if n == 0 then return f() end return (deep(n - 1)) end
pcall(deep, 5000)
ngx.say(tostring(f()))
