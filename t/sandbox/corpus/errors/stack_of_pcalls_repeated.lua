-- expect: ok|error|cpu|time|memory
local functions = {}
for i = 1, 7000 do functions[i] = pcall end
local function again() return pcall(unpack(functions)) end
functions[7001] = again
ngx.say(tostring(again()))
