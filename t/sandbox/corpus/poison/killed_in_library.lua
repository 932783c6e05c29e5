-- expect: cpu
-- The end comes while a library function is at work.
stray = "poison"
ngx.header["X-Leak"] = "LEAK"
return (("x"):rep(3000):gsub((".-"):rep(5) .. "y", "LEAK"))
