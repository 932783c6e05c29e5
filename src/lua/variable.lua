-- ngx.var
local _, ngx, shared = ...

local ffi = require "ffi"
local C, string = ffi.C, ffi.string
local error, setmetatable, tostring, type = error, setmetatable, tostring, type

ffi.cdef [[
int hotlua_var_get(const char *name, size_t length, const char **value, size_t *value_length);
int hotlua_var_capture(unsigned int number, const char **value, size_t *value_length);
int hotlua_var_set(const char *name, size_t length, const char *value, size_t value_length, bool clear);
]]

local FOUND, NO_REQUEST, DUE = 1, -1, shared.DUE
local DONE, UNDEFINED, READ_ONLY = 0, 1, 2

-- nginx has no captures beyond.
local CAPTURES = 999

local value, length = ffi.new "const char *[1]", ffi.new "size_t[1]"

local function read(_, name)
    local found
    if type(name) == "string" then
        found = C.hotlua_var_get(name, #name, value, length)
    elseif type(name) ~= "number" then
        error("bad variable name", 2)
    elseif name >= 1 and name <= CAPTURES then
        found = C.hotlua_var_capture(name, value, length)
    end
    if found == FOUND then
        -- No tail call: LuaJIT cannot compile a return through a library function.
        local text = string(value[0], length[0])
        return text
    end
    if found == DUE then
        shared.settle()
        if C.hotlua_var_get(name, #name, value, length) == FOUND then
            local text = string(value[0], length[0])
            return text
        end
    end
    if found == NO_REQUEST then shared.no_request(2) end
    return nil
end

local function failed(rc, name)
    if rc == NO_REQUEST then shared.no_request(3) end
    if rc == UNDEFINED then
        error('variable "' .. name .. '" not found for writing; maybe it is a built-in variable that is not '
            .. "changeable or you forgot to use \"set $" .. name .. " '';\" in the config file to define it first", 3)
    end
    error('variable "' .. name .. (rc == READ_ONLY and '" not changeable' or '" not set: no memory'), 3)
end

local function write(_, name, text)
    if type(name) ~= "string" then error("bad variable name", 2) end
    local clear = text == nil
    if clear then text = "" elseif type(text) ~= "string" then text = tostring(text) end
    local rc = C.hotlua_var_set(name, #name, text, #text, clear)
    if rc == DUE then
        shared.settle()
        rc = C.hotlua_var_set(name, #name, text, #text, clear)
    end
    if rc ~= DONE then failed(rc, name) end
end

ngx.var = setmetatable({}, { __index = read, __newindex = write })
