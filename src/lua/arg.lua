-- ngx.arg
local _, ngx, shared = ...

local ffi = require "ffi"
local C, string = ffi.C, ffi.string
local error, setmetatable, tostring, type = error, setmetatable, tostring, type

ffi.cdef [[
int hotlua_arg_get(unsigned int place, const char **data, size_t *length);
int hotlua_arg_set(const char *data, size_t length);
int hotlua_arg_set_last(bool last);
]]

local DISABLED, TEXT, TRUE, FALSE = -1, 1, 2, 3

local data, length = ffi.new "const char *[1]", ffi.new "size_t[1]"

local function read(_, place)
    if type(place) ~= "number" then shared.bad_type(-1, "number", place) end
    local found = C.hotlua_arg_get(place, data, length)
    if found == TEXT then
        -- No tail call: LuaJIT cannot compile a return through a library function.
        local text = string(data[0], length[0])
        return text
    end
    if found == TRUE then return true end
    if found == FALSE then return false end
    if found == DISABLED then error("API disabled in the current context", 2) end
    return nil
end

local function write(_, place, value)
    local rc
    if place == 1 then
        local text = value
        if type(text) ~= "string" then
            local wrong
            text, wrong = shared.flatten(value == nil and "" or value)
            if not text then error("bad chunk data type: " .. wrong, 2) end
        end
        rc = C.hotlua_arg_set(text, #text)
    elseif place == 2 then
        rc = C.hotlua_arg_set_last(value and true or false)
    else
        error("bad index of ngx.arg: " .. tostring(place), 2)
    end
    if rc == DISABLED then shared.disabled(2) end
end

ngx.arg = setmetatable({}, { __index = read, __newindex = write })
