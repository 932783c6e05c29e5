-- expect: ok|error
-- ways: file
ngx.exit(444)
