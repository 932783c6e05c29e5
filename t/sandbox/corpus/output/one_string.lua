-- expect: output
ngx.print(("LEAK"):rep(100000))
