-- tcpsock:sslhandshake, tcpsock:setclientcert
local prim, ngx, shared = ...

local error, select, tonumber, type = error, select, tonumber, type
local ffi = require "ffi"
local tcp = shared.tcp.methods
local finish = shared.tcp.finish
local WAIT = shared.phases.wait

ffi.cdef [[
void hotlua_tls_session_free(void *session);
]]

-- A session is cdata, as upstream's is: a pointer that is looked up and never followed.
local POINTER, ADDRESS = ffi.typeof("void *"), ffi.typeof("uintptr_t")
local free = ffi.C.hotlua_tls_session_free

function tcp.sslhandshake(...)
    local count = select("#", ...)
    local self, reused, name, verify, status = ...
    if count < 1 or count > 5 then
        error("ngx.socket sslhandshake: expecting 1 ~ 5 arguments (including the object), but seen " .. count, 2)
    end
    if type(self) ~= "table" then shared.bad_type(1, "table", self, count) end
    local socket = self[1]
    if not socket then error("socket is never created nor connected", 2) end
    if name ~= nil and type(name) ~= "string" then shared.bad_type(3, "string", name, count) end
    shared.check_phase(WAIT)
    local session
    if type(reused) == "cdata" and ffi.istype(POINTER, reused) then session = tonumber(ffi.cast(ADDRESS, reused)) end
    local begun, err = prim.shake(socket, session, name, not not verify, not not status)
    local ok, wrong = finish(prim.shaken, socket, begun, err)
    if not ok then return nil, wrong end
    if reused == false then return true end
    local address = prim.session(socket)
    return address and ffi.gc(ffi.cast(POINTER, address), free) or true
end

function tcp.setclientcert(self, cert, key)
    if type(self) ~= "table" then shared.bad_type(1, "table", self) end
    if not cert and not key then
        if self[1] then prim.set_identity(self[1]) end
        return true
    end
    if not cert or not key then
        return nil, "client certificate must be supplied with corresponding private key"
    end
    self[1] = self[1] or shared.tcp.new()
    if prim.set_identity(self[1], cert, key) then return true end
    if not prim.is_chain(cert) then return nil, "bad cert arg: cdata expected, got " .. type(cert) end
    return nil, "bad pkey arg: cdata expected, got " .. type(key)
end
