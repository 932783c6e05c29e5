-- expect: cpu
local function f() return pcall(pcall, pcall, f) end
while true do f() end
