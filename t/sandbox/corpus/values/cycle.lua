-- expect: ok
-- expect@api: error
local t = {}
t.t = t
return t
