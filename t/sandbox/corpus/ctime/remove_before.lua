-- expect: ok|cpu|time
pcall(table.remove, { 1, 2 }, -2 ^ 31)
