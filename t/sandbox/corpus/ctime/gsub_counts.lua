-- expect: cpu
for _ = 1, 1e6 do ("a"):rep(100000):gsub("b", "c", 1e300) end
