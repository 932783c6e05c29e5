-- expect: cpu
-- ways: file
while true do ngx.header["X-A"] = ("x"):rep(1000) end
