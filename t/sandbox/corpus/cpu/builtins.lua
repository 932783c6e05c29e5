-- expect: cpu
-- Few instructions between calls of library functions.
while true do math.floor(1.5) end
