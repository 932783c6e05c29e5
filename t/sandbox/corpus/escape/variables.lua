-- expect: ok
-- says: allowed nothing
-- Only the variables of the profile are read, however they are spelt.
local found
for _, name in ipairs {
    "uri", "request_uri", "document_root", "http_cookie", "http_x_secret", "realpath_root", "pid", "server_addr", "secret", "SECRET", "arg", "args", "query_string",
    "ARG", "xarg_a", "secret\0arg_a", "arg_a\0", "", " arg_a", 1, 0, -1,
} do
    local ok, value = pcall(function() return ngx.var[name] end)
    if ok and value ~= nil then found = name end
end
ngx.say(ngx.var.arg_a == "1" and "allowed" or tostring(ngx.var.arg_a), " ", tostring(found or "nothing"))
