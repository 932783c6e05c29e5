-- expect: error
-- ways: file
ngx.header["X-A"] = "x\0y"
ngx.header["X-B"] = ("\1"):rep(100)
