-- expect: ok
-- expect@api: error
-- 2^40 tables, if what is shared is copied each time.
local t = { "x" }
for _ = 1, 40 do t = { t, t } end
return t
