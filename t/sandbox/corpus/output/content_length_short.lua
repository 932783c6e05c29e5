-- expect: error
-- ways: file
-- What is beyond the length would be the next answer of the connection.
ngx.header.content_length = 2
ngx.print("xxHTTP/1.1 200 OK\r\nX-Injected: LEAK\r\n\r\n")
