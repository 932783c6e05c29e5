-- ngx.escape_uri, base64, digests, checksums, SQL quoting.
local prim, ngx, shared = ...

local ffi = require "ffi"
local C, new, string = ffi.C, ffi.new, ffi.string
local type, tostring, error, select = type, tostring, error, select

ffi.cdef [[
ptrdiff_t hotlua_escaped_length(const char *text, size_t length, int kind);
void hotlua_escape(const char *text, size_t length, int kind, char *into, size_t room);
size_t hotlua_unescape(const char *text, size_t length, char *into);
size_t hotlua_encode_base64(const char *text, size_t length, char *into, size_t room);
ptrdiff_t hotlua_decode_base64(const char *text, size_t length, char *into, size_t room);
void hotlua_md5(const char *text, size_t length, char *into);
void hotlua_md5_bin(const char *text, size_t length, char *into);
uint32_t hotlua_crc32(const char *text, size_t length);
]]

-- One buffer that all results pass through. A longer one is made for the call and dropped, so that one huge text
-- does not stay in every worker.
local SIZE = 4096
local usual = new("char[?]", SIZE)

local function buffer(size)
    if size <= SIZE then return usual end
    return new("char[?]", size)
end
shared.buffer = buffer

-- What most of these take: anything, nil as the empty string.
local function text_of(value)
    if type(value) == "string" then return value end
    if value == nil then return "" end
    return tostring(value)
end

local COMPONENT = 2

local function escape(text, kind)
    local length = #text
    local escaped = tonumber(C.hotlua_escaped_length(text, length, kind))
    if escaped <= length then return escaped == length and text or nil end
    local into = buffer(escaped)
    C.hotlua_escape(text, length, kind, into, escaped)
    return string(into, escaped)
end
shared.escape = function(text) return escape(text, COMPONENT) end

function ngx.escape_uri(text, kind)
    if kind == nil then
        kind = COMPONENT
    elseif type(kind) ~= "number" then
        error('"type" is not a number', 3)
    end
    local escaped = escape(text_of(text), kind)
    if not escaped then error('"type" ' .. kind .. " out of range", 3) end
    return escaped
end

function ngx.unescape_uri(text)
    text = text_of(text)
    local length = #text
    if length == 0 then return "" end
    local into = buffer(length)
    return string(into, C.hotlua_unescape(text, length, into))
end

function ngx.encode_base64(text, no_padding)
    text = text_of(text)
    if no_padding ~= nil and type(no_padding) ~= "boolean" then
        error("bad no_padding: boolean expected, got " .. type(no_padding), 2)
    end
    local length = #text
    local padded = (length + 2 - (length + 2) % 3) / 3 * 4
    local into = buffer(padded)
    local bare = C.hotlua_encode_base64(text, length, into, padded)
    return string(into, no_padding and bare or padded)
end

function ngx.decode_base64(text)
    if type(text) ~= "string" then error("string argument only", 2) end
    local length = #text
    local room = (length + 3 - (length + 3) % 4) / 4 * 3
    local into = buffer(room)
    local decoded = tonumber(C.hotlua_decode_base64(text, length, into, room))
    if decoded < 0 then return nil end
    return string(into, decoded)
end

function ngx.md5(text)
    text = text_of(text)
    C.hotlua_md5(text, #text, usual)
    return string(usual, 32)
end

function ngx.md5_bin(text)
    text = text_of(text)
    C.hotlua_md5_bin(text, #text, usual)
    return string(usual, 16)
end

function ngx.sha1_bin(text)
    return (prim.sha1(text_of(text)))
end

function ngx.hmac_sha1(...)
    local count = select("#", ...)
    if count ~= 2 then error("expecting 2 arguments, but got " .. count, 2) end
    local key, text = ...
    key = shared.text(1, key)
    text = shared.text(2, text)
    return (prim.hmac_sha1(key, text))
end

local function crc32(text)
    text = text_of(text)
    return (tonumber(C.hotlua_crc32(text, #text)))
end
ngx.crc32_short, ngx.crc32_long = crc32, crc32

function ngx.quote_sql_str(...)
    if select("#", ...) ~= 1 then error("expecting one argument", 2) end
    local text = ...
    text = shared.text(1, text)
    return (prim.quote_sql(text))
end
