-- expect: ok
-- says: fine
-- profile: roomy
-- Each function with each kind of argument.
local values = { n = 12, [2] = true, [3] = 0, [4] = -1, [5] = 2 ^ 31, [6] = -2 ^ 53, [7] = 0 / 0, [8] = "", [9] = "%d", [10] = {}, [11] = function() end, [12] = coroutine.create(function() end) }
for _, library in ipairs { _G, string, table, math, coroutine, bit, os } do
    for name, f in pairs(library) do
        if type(f) == "function" and name ~= "rep" and name ~= "pairs" then
            pcall(f)
            for i = 1, values.n do
                pcall(f, values[i])
                for j = 1, values.n do pcall(f, values[i], values[j]) end
            end
        end
    end
end
ngx.say("fine")
