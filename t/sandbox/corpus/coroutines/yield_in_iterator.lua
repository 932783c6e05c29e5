-- expect: ok
-- says: 1 2 3
local t = {}
for n in coroutine.wrap(function() for i = 1, 3 do coroutine.yield(i) end end) do t[n] = n end
ngx.say(table.concat(t, " "))
