-- ngx.status and ngx.headers_sent, computed fields of ngx.
local prim, ngx, shared = ...

local ffi = require "ffi"
local C = ffi.C
local error, tonumber, type = error, tonumber, type

ffi.cdef [[
int hotlua_status_get(int *status);
int hotlua_status_set(int status);
int hotlua_headers_sent(void);
]]

local DONE, SENT, DUE = 0, 1, shared.DUE

local cell = ffi.new "int[1]"

function shared.ngx_get.status()
    local rc = C.hotlua_status_get(cell)
    if rc == DUE then
        shared.settle()
        rc = C.hotlua_status_get(cell)
    end
    if rc ~= DONE then shared.no_request(2) end
    return cell[0]
end

function shared.ngx_set.status(value)
    local status = tonumber(value)
    if not status then error("bad status: number expected, got " .. type(value), 2) end
    local rc = C.hotlua_status_set(status)
    if rc == SENT then return prim.log_sent("ngx.status") end
    if rc ~= DONE then shared.no_request(2) end
end

function shared.ngx_get.headers_sent()
    local sent = C.hotlua_headers_sent()
    if sent < 0 then shared.no_request(2) end
    return sent == 1
end
