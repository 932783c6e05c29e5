-- expect: error
-- ways: file
-- A value with a line break must not make a header or a body.
ngx.header["X-A"] = "x\r\nX-Injected: LEAK"
ngx.header["X-B"] = "x\nX-Injected: LEAK"
ngx.header["X-C"] = { "x", "y\r\n\r\nLEAK" }
ngx.header.location = "/\r\nX-Injected: LEAK"
ngx.header.content_type = "text/plain\r\nX-Injected: LEAK"
ngx.header.set_cookie = "a=b\r\nX-Injected: LEAK"
