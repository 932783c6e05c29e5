-- expect: ok
-- profile: roomy
-- expect@api: error
local t = {}
for i = 1, 1000000 do t[i] = i end
return t
