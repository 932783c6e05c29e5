-- expect: memory
error(("x"):rep(1e9))
