-- expect: ok
-- says: fine
-- The array changes under the sort.
local t = {}
for i = 1, 500 do t[i] = (i * 7919) % 501 end
pcall(table.sort, t, function(a, b)
    for i = #t, 1, -1 do t[i] = nil end
    return (a or 0) < (b or 0)
end)
t = {}
for i = 1, 500 do t[i] = (i * 7919) % 501 end
local n = 500
pcall(table.sort, t, function(a, b)
    n = n + 1
    t[n] = n
    return (a or 0) < (b or 0)
end)
ngx.say("fine")
