-- expect: ok
-- says: 0 0
ngx.say(#(""):rep(1e15), " ", #("x"):rep(-1e15))
