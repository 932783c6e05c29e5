-- expect: ok
-- profile: roomy
-- expect@api: error
local t = {}
for i = 1, 100000 do t[i] = {} end
return t
