-- expect: memory|cpu
string.sub, stray = nil, "poison"
local t = {}
while true do t = { t, ("x"):rep(9000) .. #t } end
