-- ngx.now, ngx.time, ngx.today, ngx.localtime, ngx.utctime, ngx.update_time, HTTP and cookie dates.
local prim, ngx, shared = ...

local C = require("ffi").C
local type, error = type, error

require("ffi").cdef [[
double hotlua_now(void);
double hotlua_time(void);
]]

-- The length of `yyyy-mm-dd`.
local DATE = 10

function ngx.now()
    return C.hotlua_now()
end

function ngx.time()
    return C.hotlua_time()
end

function ngx.update_time()
    prim.update_time()
end

function ngx.today()
    return prim.local_time():sub(1, DATE)
end

function ngx.localtime()
    return prim.local_time()
end

function ngx.utctime()
    return prim.utc_time()
end

function ngx.http_time(seconds)
    if type(seconds) ~= "number" then error("number argument only", 2) end
    return prim.http_time(seconds)
end

function ngx.cookie_time(seconds)
    if type(seconds) ~= "number" then error("number argument only", 2) end
    return prim.cookie_time(seconds)
end

function ngx.parse_http_time(text)
    if type(text) ~= "string" then error("string argument only", 2) end
    return prim.parse_http_time(text)
end
