-- expect: memory
string.sub, stray = nil, "poison"
local t = {}
while true do t = { t, ("x"):rep(1000) .. #t } end
