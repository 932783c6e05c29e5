-- expect: ok
-- profile: roomy
-- Going over a table takes as long as it once was large: a list of one such table, copied, took minutes.
local t = {}
for i = 1, 1000000 do t[i] = 1 end
for i = 1, 1000000 do t[i] = nil end
local list = {}
for i = 1, 45000 do list[i] = t end
return list
