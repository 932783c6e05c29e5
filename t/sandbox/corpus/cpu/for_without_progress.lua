-- expect: cpu
-- Above 2^53 adding 1 changes nothing.
for _ = 2 ^ 53, 2 ^ 54 do end
