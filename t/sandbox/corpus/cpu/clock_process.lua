-- expect: cpu
local start = os.clock()
while os.clock() < start + 10 do end
