-- expect: ok
-- says: true
-- A comparator that lies must neither read nor write beyond the array.
local t, marks = {}, 0
for i = 1, 100 do t[i] = i end
pcall(table.sort, t, function() return true end)
pcall(table.sort, t, function(a, b) return a ~= b end)
for i = 1, 50 do pcall(table.sort, t, function() marks = (marks * 7 + i) % 11; return marks > 5 end) end
local same = true
for k, v in pairs(t) do same = same and type(k) == "number" and k >= 1 and k <= 100 and type(v) == "number" end
ngx.say(same)
