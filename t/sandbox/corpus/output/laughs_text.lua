-- expect: output
local t = { "LEAK" }
for _ = 1, 40 do t = { t, t } end
ngx.print(t)
