-- expect: ok
-- ways: file
for _, value in ipairs { "x", {}, true, 0 / 0, 2 ^ 53, -2 ^ 31 } do pcall(ngx.exit, value) end
