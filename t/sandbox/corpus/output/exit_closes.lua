-- expect: ok
-- status: none
-- By 444 nginx closes the connection and says nothing.
-- ways: file
ngx.exit(444)
