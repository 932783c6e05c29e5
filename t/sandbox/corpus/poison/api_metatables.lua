-- expect: ok
-- says: fine
-- status: 500
-- ngx and what is in it, as far as they can be changed.
local say = ngx.say
for _, object in ipairs { ngx, ngx.var, ngx.header, ngx.req } do
    pcall(setmetatable, object, { __index = function() return "poison" end, __newindex = function() end, __metatable = "poison" })
    pcall(function() getmetatable(object).__index = function() return "poison" end end)
    pcall(rawset, object, "poison", "poison")
    pcall(rawset, object, "arg_a", "poison")
    pcall(rawset, object, "status", 500)
end
say("fine")
