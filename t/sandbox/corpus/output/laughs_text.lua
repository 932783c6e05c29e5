-- expect: output|error|cpu|time
local t = { "LEAK" }
for _ = 1, 40 do t = { t, t } end
ngx.print(t)
