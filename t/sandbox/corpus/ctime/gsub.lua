-- expect: cpu
return (("a"):rep(300000):gsub("a-b", "x"))
