-- expect: cpu
local co = coroutine.wrap(function() while true do coroutine.yield(1) end end)
local t = setmetatable({}, { __index = co, __call = co, __concat = co })
while true do local _ = t.x, t(), t .. t end
