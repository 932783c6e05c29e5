-- expect: ok|error|memory|output
-- ways: file
ngx.header["X-A"] = ("x"):rep(1000000)
