-- expect: ok|error|cpu|memory|time
local function f() return (("x"):gsub(".", f)) end
pcall(f)
