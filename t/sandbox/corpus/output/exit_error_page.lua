-- expect: ok
-- ways: file
-- status: 404
ngx.exit(404)
