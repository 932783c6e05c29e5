-- expect: error
-- ways: file
-- A page that was half told is not told.
ngx.status = 201
ngx.header["X-Leak"] = "LEAK"
ngx.say("LEAK")
local x = nil + 1
