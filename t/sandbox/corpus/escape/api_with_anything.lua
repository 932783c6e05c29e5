-- expect: ok
-- ways: file
-- says: fine
local values = { n = 11, [2] = true, [3] = 0, [4] = -1, [5] = 2 ^ 31, [6] = 0 / 0, [7] = "", [8] = "x\r\ny: z", [9] = {}, [10] = function() end, [11] = coroutine.create(function() end) }
for _, library in ipairs { ngx, ngx.req } do
    for name, f in pairs(library) do
        if type(f) == "function" and name ~= "exit" and name ~= "say" and name ~= "print" then
            for i = 1, values.n do
                for j = 1, values.n do pcall(f, values[i], values[j]) end
            end
        end
    end
end
for i = 1, values.n do
    pcall(function() return ngx.var[values[i]] end)
    pcall(function() return ngx.header[values[i]] end)
    pcall(function() ngx.var[values[i]] = "x" end)
    pcall(function() ngx.no_such = values[i] end)
end
ngx.say("fine")
