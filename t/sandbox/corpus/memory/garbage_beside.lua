-- expect: ok
-- says: fine
-- More than half of what a run may take is alive: garbage beside it must be collected before the limit is reached.
local kept = {}
for i = 1, 24 do kept[i] = ("x"):rep(100000) .. i end
for i = 1, 400 do kept[0] = ("y"):rep(20000) .. i end
ngx.say("fine")
