-- expect: ok
-- says: mine false
local t = setmetatable({}, { __metatable = "mine" })
ngx.say(getmetatable(t), " ", (pcall(setmetatable, t, nil)))
