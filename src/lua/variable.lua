-- ngx.var
local prim, ngx, shared = ...

local ffi = require "ffi"
local C, string = ffi.C, ffi.string

ffi.cdef [[
int hotlua_var_get(const char *name, size_t length, const char **value, size_t *value_length);
]]

local value, length = ffi.new("const char *[1]"), ffi.new("size_t[1]")

ngx.var = setmetatable({}, {
    __index = function(_, name)
        local found = C.hotlua_var_get(name, #name, value, length)
        if found == 1 then
            -- No tail call: LuaJIT cannot compile a return through a library function.
            local text = string(value[0], length[0])
            return text
        end
        if found == -1 then shared.no_request(2) end
        return nil
    end,
})
