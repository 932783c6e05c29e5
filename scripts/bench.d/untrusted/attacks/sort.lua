local values = {}
for i = 1, 20000 do values[i] = -i end
while true do table.sort(values, function(a, b) return math.random() < 0.5 end) end
