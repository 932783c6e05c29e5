-- expect: memory
-- What is told by C for a megabyte at once.
local s = ("%"):rep(500000)
while true do
    ngx.escape_uri(s)
    ngx.unescape_uri(s)
    ngx.md5(s)
end
