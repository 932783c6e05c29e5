-- expect: ok
for _ = 1, 100 do pcall(os.date, ("%c"):rep(100000)) end
