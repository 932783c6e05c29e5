-- expect: ok
-- expect@api: error
local t = {}
for _ = 1, 20000 do t = { [t] = 1 } end
return t
