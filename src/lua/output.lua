-- ngx.say, ngx.print, ngx.flush, ngx.eof.
local prim, ngx, shared = ...

local ffi = require "ffi"
local C = ffi.C
local select, type, tostring, error, concat = select, type, tostring, error, table.concat

ffi.cdef [[
int hotlua_append(const char *data, size_t length);
size_t hotlua_room(void);
]]

local function slow(text)
    local ok, err = prim.print(text)
    if ok then return 1 end
    if ok == false then shared.no_request(2) end
    return nil, err
end

function ngx.print(text)
    text = tostring(text)
    if C.hotlua_append(text, #text) == 1 then return 1 end
    return slow(text)
end

function ngx.say(a, ...)
    if type(a) == "string" and select("#", ...) == 0 then
    local text = a .. "\n"
    if C.hotlua_append(text, #text) == 1 then return 1 end
    return slow(text)
    end
    local text = concat({a, ...}) .. "\n"
    if C.hotlua_append(text, #text) == 1 then return 1 end
    return slow(text)
end
