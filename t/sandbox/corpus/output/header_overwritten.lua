-- expect: cpu|time|memory|output|error
-- ways: file
while true do ngx.header["X-A"] = ("x"):rep(1000) end
