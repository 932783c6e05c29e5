-- expect: memory
-- ways: file
for i = 1, 100000 do ngx.header["X-" .. i] = "x" end
