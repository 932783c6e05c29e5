-- expect: cpu
for _ = 1, 100 do
    for _ in ("a"):rep(1000000):gmatch("") do end
end
