-- ngx.ctx
local prim, ngx, shared = ...

local ffi = require "ffi"
local C, type, error, next = ffi.C, type, error, next
local contexts = prim.contexts

ffi.cdef "int hotlua_context(void);"

function shared.ngx_get.ctx()
    local slot = C.hotlua_context()
    if slot > 0 then return contexts[slot] end
    local context = {}
    -- What a TLS handshake has left is for all requests of its connection; what they set is their own.
    local inherited = prim.inherited()
    if inherited then
        for key, value in next, contexts[inherited] do context[key] = value end
    end
    if slot < 0 or not prim.set(context) then shared.no_request(2) end
    return context
end

function shared.ngx_set.ctx(context)
    if type(context) ~= "table" then error("ctx should be a table while getting a " .. type(context), 2) end
    if not prim.set(context) then shared.no_request(2) end
end
