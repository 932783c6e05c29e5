-- expect: error
-- message: attempt to (index|call)
local t
return t.x.y.z()
