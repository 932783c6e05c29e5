-- expect: error
-- profile: roomy
-- What values/large_and_empty.lua returns, in a header.
local t = {}
for i = 1, 1000000 do t[i] = 1 end
for i = 1, 1000000 do t[i] = nil end
local list = {}
for i = 1, 45000 do list[i] = t end
ngx.header["X-List"] = list
