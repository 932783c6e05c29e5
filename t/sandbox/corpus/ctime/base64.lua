-- expect: memory
local s = ("x"):rep(500000)
while true do ngx.decode_base64(ngx.encode_base64(s)) end
