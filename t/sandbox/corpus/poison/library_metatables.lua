-- expect: ok
-- says: fine
for _, library in ipairs { string, table, math, coroutine, bit, os } do
    setmetatable(library, { __index = function() return "poison" end, __newindex = error, __metatable = "poison" })
end
ngx.say("fine")
