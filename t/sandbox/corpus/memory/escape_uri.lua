-- expect: memory
local s = ("%"):rep(1000)
while true do s = ngx.escape_uri(s .. s) end
