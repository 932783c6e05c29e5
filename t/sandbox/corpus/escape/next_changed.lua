-- expect: ok
-- Keys added and removed while a table is walked.
local t = {}
for i = 1, 100 do t[i .. ""] = i end
local n = 0
for k in pairs(t) do
    t[k], t[k .. "x"] = nil, true
    n = n + 1
    if n > 10000 then break end
end
