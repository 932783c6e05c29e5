-- expect: ok
-- says: true 7001
-- The same without a metatable, and from a coroutine whose stack is small.
local t = {}
for i = 1, 7000 do t[i] = pcall end
local function count(...) return select("#", ...) end
ngx.say(pcall(unpack(t)), " ", coroutine.wrap(function() return count(pcall(unpack(t))) end)())
