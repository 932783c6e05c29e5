-- ngx.base64: base64 with the alphabet of URLs, without padding.
local prim, ngx, shared = ...

local ffi = require "ffi"
local C, string = ffi.C, ffi.string
local type, tonumber = type, tonumber
local buffer = shared.buffer

ffi.cdef [[
size_t hotlua_encode_base64url(const char *text, size_t length, char *into, size_t room);
ptrdiff_t hotlua_decode_base64url(const char *text, size_t length, char *into, size_t room);
]]

local base64 = { version = shared.core_version }

function base64.encode_base64url(text)
    if type(text) ~= "string" then return nil, "must provide a string" end
    local length = #text
    local room = (length + 2 - (length + 2) % 3) / 3 * 4
    local into = buffer(room)
    return (string(into, C.hotlua_encode_base64url(text, length, into, room)))
end

function base64.decode_base64url(text)
    if type(text) ~= "string" then return nil, "must provide a string" end
    local length = #text
    local room = (length + 3 - (length + 3) % 4) / 4 * 3
    local into = buffer(room)
    local decoded = tonumber(C.hotlua_decode_base64url(text, length, into, room))
    if decoded < 0 then return nil, "invalid input" end
    return (string(into, decoded))
end

package.preload["ngx.base64"] = function() return base64 end
