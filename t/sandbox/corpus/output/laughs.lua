-- expect: error
-- 2^40 pieces of nothing: no output, and no end.
local t = { "" }
for _ = 1, 40 do t = { t, t } end
ngx.print(t)
