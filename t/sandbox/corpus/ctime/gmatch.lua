-- expect: cpu
for _ = 1, 100 do
    for _ in ("a"):rep(100000):gmatch("a-b") do end
end
