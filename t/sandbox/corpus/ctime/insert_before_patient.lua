-- expect: ok
-- profile: patient
-- Instructions enough for all of them: the clock has to be looked at meanwhile.
pcall(table.insert, {}, -2 ^ 31, 1)
pcall(table.insert, {}, -2 ^ 30, 1)
