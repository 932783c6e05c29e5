-- expect: cpu|time
while true do pcall(error) end
