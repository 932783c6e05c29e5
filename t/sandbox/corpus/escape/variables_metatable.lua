-- expect: ok
-- says: nothing
-- The function behind ngx.var, called with other things than ngx.var.
local found
local mt = getmetatable(ngx.var)
local index = type(mt) == "table" and mt.__index
if type(index) == "function" then
    for _, object in ipairs { ngx.var, {}, ngx, _G, "x", 1 } do
        local ok, value = pcall(index, object, "secret")
        if ok and value ~= nil then found = value end
    end
end
local ok, value = pcall(rawget, ngx.var, "secret")
ngx.say(tostring(ok and value or found or "nothing"))
