-- expect: memory
local s = ("x"):rep(10000)
return #s:gsub(".", s)
