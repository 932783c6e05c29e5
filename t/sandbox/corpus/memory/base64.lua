-- expect: memory
local s = ("x"):rep(1000)
while true do s = ngx.encode_base64(s) end
