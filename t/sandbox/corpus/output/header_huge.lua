-- expect: error
-- ways: file
ngx.header["X-A"] = ("x"):rep(1000000)
