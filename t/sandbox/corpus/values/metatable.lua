-- expect: ok
-- returns: {a = 1}
-- What the host reads runs nothing of the script's.
local function f() while true do end end
return setmetatable({ a = 1 }, { __index = f, __newindex = f, __len = f, __eq = f, __lt = f, __concat = f, __call = f, __tostring = f, __metatable = f, __pairs = f, __ipairs = f, __gc = f, __mode = "kv" })
