-- expect: cpu
for _ = 1, 2, 0 do end
