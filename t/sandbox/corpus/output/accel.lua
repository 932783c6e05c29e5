-- expect: error
-- ways: file
-- Headers that a proxy or nginx itself might obey.
ngx.header["X-Accel-Redirect"] = "/pid"
ngx.header["X-Accel-Limit-Rate"] = "1"
ngx.header["X-Sendfile"] = "/etc/passwd"
ngx.header.server = "LEAK"
ngx.header.date = "LEAK"
ngx.say("fine")
