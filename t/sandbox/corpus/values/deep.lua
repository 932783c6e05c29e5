-- expect: ok
-- expect@api: error
-- Deeper than a C stack is.
local t = {}
for _ = 1, 20000 do t = { t } end
return t
