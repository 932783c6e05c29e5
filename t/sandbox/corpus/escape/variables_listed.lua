-- expect: ok
-- says: nothing
local found
for k in pairs(ngx.var) do found = k end
ngx.say(tostring(found or "nothing"))
