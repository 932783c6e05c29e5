-- expect: error
-- ways: file
-- The client would wait for the rest.
ngx.header.content_length = 1000000
ngx.print("x")
