-- expect: error
-- ways: file
ngx.exit(-4)
