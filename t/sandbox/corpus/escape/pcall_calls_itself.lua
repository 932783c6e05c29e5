-- expect: ok
-- says: true
-- LuaJIT's pcall does not look whether its frame fits the stack.
local t = setmetatable({}, { __call = pcall })
local count = select("#", t())
ngx.say(count > 1000)
