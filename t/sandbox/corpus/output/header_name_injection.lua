-- expect: error
-- ways: file
ngx.header["X-A: x\r\nX-Injected"] = "LEAK"
ngx.header["X-B\nX-Injected"] = "LEAK"
ngx.header["X-Injected: LEAK\r\n\r\n"] = "LEAK"
ngx.header["\0"] = "x"
ngx.header[""] = "x"
