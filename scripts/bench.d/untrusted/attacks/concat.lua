local parts = {}
for i = 1, 1000 do parts[i] = string.rep("x", 500) end
while true do table.concat(parts) end
