-- expect: error
local function f() while true do end end
error(setmetatable({}, { __index = f, __len = f, __eq = f, __concat = f, __call = f, __name = f, __metatable = f, __gc = f }))
