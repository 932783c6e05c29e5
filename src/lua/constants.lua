-- The numbers of ngx.*, ngx.null, ngx.worker, ngx.config, ngx.exit.
local prim, ngx, shared = ...

local type, error, floor = type, error, math.floor

local numbers = {
    OK = 0,
    ERROR = -1,
    AGAIN = -2,
    DONE = -4,
    DECLINED = -5,

    HTTP_GET = 0x0002,
    HTTP_HEAD = 0x0004,
    HTTP_POST = 0x0008,
    HTTP_PUT = 0x0010,
    HTTP_DELETE = 0x0020,
    HTTP_MKCOL = 0x0040,
    HTTP_COPY = 0x0080,
    HTTP_MOVE = 0x0100,
    HTTP_OPTIONS = 0x0200,
    HTTP_PROPFIND = 0x0400,
    HTTP_PROPPATCH = 0x0800,
    HTTP_LOCK = 0x1000,
    HTTP_UNLOCK = 0x2000,
    HTTP_PATCH = 0x4000,
    HTTP_TRACE = 0x8000,

    HTTP_CONTINUE = 100,
    HTTP_SWITCHING_PROTOCOLS = 101,
    HTTP_OK = 200,
    HTTP_CREATED = 201,
    HTTP_ACCEPTED = 202,
    HTTP_NO_CONTENT = 204,
    HTTP_PARTIAL_CONTENT = 206,
    HTTP_SPECIAL_RESPONSE = 300,
    HTTP_MOVED_PERMANENTLY = 301,
    HTTP_MOVED_TEMPORARILY = 302,
    HTTP_SEE_OTHER = 303,
    HTTP_NOT_MODIFIED = 304,
    HTTP_TEMPORARY_REDIRECT = 307,
    HTTP_PERMANENT_REDIRECT = 308,
    HTTP_BAD_REQUEST = 400,
    HTTP_UNAUTHORIZED = 401,
    HTTP_PAYMENT_REQUIRED = 402,
    HTTP_FORBIDDEN = 403,
    HTTP_NOT_FOUND = 404,
    HTTP_NOT_ALLOWED = 405,
    HTTP_NOT_ACCEPTABLE = 406,
    HTTP_REQUEST_TIMEOUT = 408,
    HTTP_CONFLICT = 409,
    HTTP_GONE = 410,
    HTTP_UPGRADE_REQUIRED = 426,
    HTTP_TOO_MANY_REQUESTS = 429,
    HTTP_CLOSE = 444,
    HTTP_ILLEGAL = 451,
    HTTP_INTERNAL_SERVER_ERROR = 500,
    HTTP_NOT_IMPLEMENTED = 501,
    HTTP_METHOD_NOT_IMPLEMENTED = 501,
    HTTP_BAD_GATEWAY = 502,
    HTTP_SERVICE_UNAVAILABLE = 503,
    HTTP_GATEWAY_TIMEOUT = 504,
    HTTP_VERSION_NOT_SUPPORTED = 505,
    HTTP_INSUFFICIENT_STORAGE = 507,
}
for name, number in pairs(numbers) do ngx[name] = number end

ngx.null = prim.null
shared.null = prim.null

-- The version of lua-resty-core that belongs to this version of lua-nginx-module.
shared.core_version = "0.1.25"

ngx.worker = {
    pid = prim.pid,
    id = prim.worker_id,
    count = prim.worker_count,
    exiting = prim.worker_exiting,
}

-- Before the workers run there are none to tell of.
function ngx.worker.pids()
    local pids = prim.worker_pids()
    if not pids then return nil, "API disabled in the current context" end
    return pids
end

local configure = prim.configure

ngx.config = {
    subsystem = "http",
    debug = prim.debug,
    nginx_version = prim.nginx_version,
    ngx_lua_version = prim.upstream_version,
    prefix = prim.prefix,
    nginx_configure = function() return configure end,
}

-- These close the connection, whatever still runs.
local CLOSES = { [ngx.ERROR] = true, [ngx.HTTP_REQUEST_TIMEOUT] = true, [ngx.HTTP_CLOSE] = true, [499] = true }

function ngx.exit(status)
    if type(status) ~= "number" then shared.bad_type(1, "number", status) end
    status = status < 0 and -floor(-status) or floor(status)
    shared.check_phase(shared.phases.exit)
    if status == ngx.AGAIN or status == ngx.DONE then
        error("bad argument to 'ngx.exit': does not accept NGX_AGAIN or NGX_DONE", 2)
    end
    if not CLOSES[status] then shared.check_pending() end
    if status >= ngx.HTTP_OK then
        local sent = prim.set_status(status)
        if sent and status >= ngx.HTTP_SPECIAL_RESPONSE and status ~= sent and not CLOSES[status] then
            shared.log(ngx.ERR, "attempt to set status " .. status ..
                " via ngx.exit after sending out the response status " .. sent)
        end
    end
    if prim.exit_at_return(status) then return end
    return shared.exit(status)
end
