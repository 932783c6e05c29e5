-- expect: cpu
-- 2^25 ways.
return (("a"):rep(25):match(("a?"):rep(25) .. ("a"):rep(25) .. "b"))
