-- expect: error
-- ways: file
local t = {}
for i = 1, 50000 do t[i] = "a=b" end
ngx.header["Set-Cookie"] = t
