-- expect: ok
-- ways: file
-- status: 403
-- An exit is caught by nobody either.
pcall(ngx.exit, 403)
pcall(error)
while true do end
