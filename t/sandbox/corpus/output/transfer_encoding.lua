-- expect: error
-- ways: file
ngx.header.transfer_encoding = "chunked"
ngx.header.connection = "upgrade"
ngx.header.upgrade = "h2c"
ngx.header.content_encoding = "gzip"
ngx.header.trailer = "X-Injected"
ngx.print("0\r\nX-Injected: LEAK\r\n\r\n")
