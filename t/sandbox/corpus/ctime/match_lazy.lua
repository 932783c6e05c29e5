-- expect: cpu
-- 12 s and more in the stock matcher.
return (("x"):rep(3000):match((".-"):rep(5) .. "y"))
