-- ngx.req: the request's headers and line; ngx.is_subrequest and the HTTP_GET.. constants.
local prim, ngx, shared = ...

local ffi = require "ffi"
local C = ffi.C
local error, ipairs, pairs, tostring, type = error, ipairs, pairs, tostring, type
local format = string.format

ffi.cdef [[
int hotlua_request_headers(bool raw, hotlua_pair *pairs, size_t room);
int hotlua_request_header_set(const char *name, size_t name_length, const char *value, size_t value_length,
                              bool append);
]]

local DONE, NO_REQUEST, DUE = 0, -1, shared.DUE

ngx.req = ngx.req or {}
local req = ngx.req

for method, number in pairs(prim.methods) do ngx["HTTP_" .. method] = number end

local function request_headers(raw, pairs, size)
    local count = C.hotlua_request_headers(raw, pairs, size)
    return count
end

function req.get_headers(limit, raw)
    if type(limit) == "boolean" then limit = limit and 1 or 0 end
    limit = shared.header_limit(limit, 2)
    -- Only 0 lifts the limit.
    if limit < 0 then limit = shared.header_limit(nil, 2) end
    local headers, err = shared.header_table("request", request_headers, limit, raw, 2)
    return headers, err
end

local function set(name, value, append)
    local rc = C.hotlua_request_header_set(name, #name, value, #value, append)
    if rc == DUE then
        shared.settle()
        rc = C.hotlua_request_header_set(name, #name, value, #value, append)
    end
    if rc == DONE then return end
    if rc == NO_REQUEST then shared.no_request(3) end
    error("failed to set header", 3)
end

function req.set_header(name, value)
    if name == nil then error("bad 'name' argument: string expected, got nil", 2) end
    if type(name) ~= "string" then name = tostring(name) end
    if type(value) ~= "table" then return (set(name, value == nil and "" or tostring(value), false)) end
    if #value == 0 then set(name, "", false) end
    for i, one in ipairs(value) do set(name, tostring(one), i > 1) end
end

local function add(name, value)
    if name == nil then error("bad 'name' argument: string expected, got nil", 2) end
    if type(name) ~= "string" then name = tostring(name) end
    if value == nil then error("bad 'value' argument: string or table expected, got nil", 2) end
    if type(value) ~= "table" then return (set(name, tostring(value), true)) end
    if #value == 0 then error("bad 'value' argument: non-empty table expected", 2) end
    for i = 1, #value do set(name, tostring(value[i]), true) end
end

-- The module that goes with the API above.
local module = { add_header = add }
package.preload["ngx.req"] = function() return module end

function req.clear_header(name)
    set(tostring(name), "", false)
end

-- What a primitive answers is false where no request runs this Lua.
local function of_request(answer)
    if answer == false then shared.no_request(3) end
    return answer
end

function req.raw_header(no_request_line)
    local header, err = prim.raw_header(not no_request_line)
    if err then error(err, 2) end
    return (of_request(header))
end

function req.http_version()
    return (of_request(prim.http_version()))
end

function req.get_method()
    return (of_request(prim.get_method()))
end

function req.set_method(method)
    if type(method) ~= "number" then error("bad method number", 2) end
    local found = prim.set_method(method)
    if found == nil then shared.no_request(2) end
    if not found then error(format("unsupported HTTP method: %s", tostring(method)), 2) end
end

function req.start_time()
    return (of_request(prim.start_time()))
end

function req.is_internal()
    local internal = prim.is_internal()
    if internal == nil then shared.no_request(2) end
    return internal
end

function shared.ngx_get.is_subrequest()
    local subrequest = prim.is_subrequest()
    if subrequest == nil then shared.no_request(2) end
    return subrequest
end
