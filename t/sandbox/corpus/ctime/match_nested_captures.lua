-- expect: cpu
local p = ("(.-)"):rep(30) .. "z"
return (("ab"):rep(1000):match(p))
