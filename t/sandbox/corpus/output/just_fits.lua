-- expect: ok
-- 64 KiB is the limit, inclusive.
ngx.print(("x"):rep(65536))
