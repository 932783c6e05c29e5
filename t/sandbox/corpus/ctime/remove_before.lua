-- expect: ok
pcall(table.remove, { 1, 2 }, -2 ^ 31)
