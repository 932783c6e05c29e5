-- expect: ok
local co = coroutine.wrap(function(...)
    while true do coroutine.yield(...) end
end)
local t = {}
for i = 1, 7900 do t[i] = i end
pcall(co, unpack(t))
