-- expect: ok
for _, event in ipairs { "__index", "__call", "__concat", "__unm", "__eq", "__lt" } do
    local mt = {}
    local t = setmetatable({}, mt)
    mt[event] = function(a)
        if event == "__index" then return t.x .. "" end
        if event == "__call" then return 1 + a() end
        if event == "__concat" then return (a .. t) .. "" end
        if event == "__unm" then return 1 + -a end
        if event == "__eq" then return not (setmetatable({}, mt) == setmetatable({}, mt)) end
        return not (a < t)
    end
    pcall(function() return t.x end)
    pcall(function() return t() end)
    pcall(function() return t .. t end)
    pcall(function() return -t end)
    pcall(function() return t == setmetatable({}, mt) end)
    pcall(function() return t < t end)
end
