-- expect: output
ngx.print(("x"):rep(65537))
