-- expect: ok
-- says: fine
local say = ngx.say
for _, library in ipairs { string, table, math, coroutine, bit, os } do
    local names = {}
    for name in pairs(library) do names[#names + 1] = name end
    for _, name in ipairs(names) do library[name] = nil end
end
say("fine")
