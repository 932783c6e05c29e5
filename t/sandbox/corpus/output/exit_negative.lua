-- expect: error
-- ways: file
-- Codes that mean something to nginx: again, declined, done.
ngx.exit(-2)
