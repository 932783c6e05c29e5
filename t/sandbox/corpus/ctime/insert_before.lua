-- expect: ok|cpu|time
pcall(table.insert, {}, -2 ^ 31, 1)
