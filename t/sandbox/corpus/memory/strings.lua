-- expect: memory
-- Many short ones: the table of strings grows too.
local t = {}
for i = 1, 1e9 do t[i] = "k" .. i end
