-- Reads 20 variables and sets 5 response headers: row var-20-header-5.
-- Only variables whose value does not depend on the port, so that every subject answers the same body.
local var = ngx.var

local seen = {
    var.arg_a, var.arg_b, var.arg_c, var.arg_absent or "-",
    var.args, var.query_string, var.is_args,
    var.uri, var.document_uri, var.request_uri,
    var.host, var.server_name, var.remote_addr,
    var.request_method, var.scheme, var.server_protocol,
    var.http_user_agent, var.http_accept, var.http_x_trace, var.cookie_session,
}

local header = ngx.header
header["Content-Type"] = "text/plain"
header["Cache-Control"] = "no-store"
header["X-Trace"] = "trace"
header["X-Count"] = #seen
header.x_underscore = "dash"

ngx.say(table.concat(seen, " "))
