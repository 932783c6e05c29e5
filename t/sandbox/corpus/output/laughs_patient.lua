-- expect: error
-- profile: patient
local t = { "" }
for _ = 1, 90 do t = { t, t } end
ngx.print(t)
