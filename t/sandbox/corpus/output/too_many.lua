-- expect: error
-- message: too many values in tables
-- Values that say nothing, from few tables.
local t, all = {}, {}
for i = 1, 1000 do t[i] = "" end
for i = 1, 200 do all[i] = t end
ngx.say(all)
