-- expect: ok
-- says: fine
-- Numbers, nil, booleans, functions and threads share one metatable a type.
local changed
for _, value in ipairs { 1, true, function() end, coroutine.create(function() end), "x", pcall } do
    if pcall(setmetatable, value, {}) then changed = type(value) end
    local ok, mt = pcall(getmetatable, value)
    if ok and type(mt) == "table" then changed = type(value) end
end
if pcall(setmetatable, nil, {}) then changed = "nil" end
ngx.say(changed or "fine")
