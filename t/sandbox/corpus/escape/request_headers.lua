-- expect: ok
-- says: fine
-- What the request's headers come in is the run's own.
local headers = ngx.req.get_headers()
headers.host = "changed"
setmetatable(headers, { __index = function() return "poison" end })
local again = ngx.req.get_headers()
ngx.say(again.host ~= "changed" and again["x-none"] == nil and "fine" or "changed")
