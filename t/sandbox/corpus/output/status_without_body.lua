-- expect: ok
-- ways: file
-- status: 204
-- No body, or it would be the next answer of the connection.
ngx.status = 204
ngx.say("HTTP/1.1 200 OK\r\nX-Injected: LEAK\r\n\r\n")
