-- expect: cpu
return (("x"):rep(3000):match((".*"):rep(6) .. "y"))
