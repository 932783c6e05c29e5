-- expect: ok
-- expect@api: error
local t = {}
for i = 1, 100 do t[i] = {} end
for i = 1, 100 do
    for j = 1, 100 do t[i][j] = t[j] end
end
return t
