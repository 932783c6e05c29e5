-- ngx.encode_args, ngx.decode_args, ngx.req.get_uri_args, ngx.req.set_uri_args, ngx.req.set_uri. The body's
-- arguments are in body.lua.
local prim, ngx, shared = ...

local ffi = require "ffi"
local C, new, string = ffi.C, ffi.new, ffi.string
local type, error, select, pairs, tonumber = type, error, select, pairs, tonumber
local concat, clear = table.concat, require "table.clear"
local REQUEST = shared.phases.request

ffi.cdef [[
typedef struct {
    uint32_t name;
    uint32_t name_length;
    uint32_t value;
    int32_t value_length;
} hotlua_arg;
size_t hotlua_args_count(const char *text, size_t length);
int hotlua_args_decode(const char *text, size_t length, size_t max, int counts_nameless, char *into,
    hotlua_arg *args, size_t room);
ptrdiff_t hotlua_uri_args(const char **text);
]]

-- How many arguments are taken where a call says nothing else.
local DEFAULT_MAX = 100

local usual = new("hotlua_arg[?]", DEFAULT_MAX)
local pointer = new "const char *[1]"

local req = ngx.req or {}
ngx.req = req

-- The arguments of `length` bytes at `text`, in `result`, and "truncated" where there are more than `max`.
local function decode(text, length, max, counts_nameless, result)
    if length == 0 then return result end
    local limited = max > 0 and max <= DEFAULT_MAX
    local room = limited and DEFAULT_MAX or tonumber(C.hotlua_args_count(text, length))
    local args = room <= DEFAULT_MAX and usual or new("hotlua_arg[?]", room)
    local into = shared.buffer(length)
    local found = C.hotlua_args_decode(text, length, max > 0 and max or 0, counts_nameless, into, args, room)
    local truncated = found < 0
    if truncated then found = -found - 1 end
    for i = 0, found - 1 do
        local arg = args[i]
        local name = string(into + arg.name, arg.name_length)
        local length = arg.value_length
        local value = length < 0 or string(into + arg.value, length)
        local known = result[name]
        if known == nil then
            result[name] = value
        elseif type(known) == "table" then
            known[#known + 1] = value
        else
            result[name] = { known, value }
        end
    end
    if not truncated then return result end
    if shared.logs(ngx.DEBUG) then shared.log(ngx.DEBUG, "lua hit query args limit " .. max) end
    return result, "truncated"
end

function shared.decode_args(text, max)
    return decode(text, #text, max, 1, {})
end

function ngx.decode_args(...)
    local count = select("#", ...)
    if count ~= 1 and count ~= 2 then error("expecting 1 or 2 arguments but seen " .. count, 2) end
    local text, max = ...
    text = shared.text(1, text)
    max = count == 2 and shared.integer(2, max) or DEFAULT_MAX
    return decode(text, #text, max, 1, {})
end

function req.get_uri_args(max, result)
    if max == nil then
        max = DEFAULT_MAX
    elseif type(max) ~= "number" then
        shared.bad_type(1, "number", max)
    else
        max = max - max % 1
    end
    if result ~= nil and type(result) ~= "table" then shared.bad_type(2, "table", result) end
    shared.check_phase(REQUEST)
    local length = tonumber(C.hotlua_uri_args(pointer))
    if result then clear(result) else result = {} end
    return decode(pointer[0], length, max, 0, result)
end

-- Adds `name=value` for one value. Returns what is wrong with it, if anything.
local function encode_one(parts, name, value)
    local kind = type(value)
    if kind == "string" then
        parts[#parts + 1] = name .. "=" .. shared.escape(value)
    elseif kind == "number" then
        parts[#parts + 1] = name .. "=" .. shared.escape(shared.number(value))
    elseif kind == "boolean" then
        if value then parts[#parts + 1] = name end
    else
        return "attempt to use " .. kind .. " as query arg value"
    end
end

-- The query string of a table; or nil and what is wrong.
local function encode(args)
    local parts = {}
    for name, value in pairs(args) do
        if type(name) ~= "string" then
            return nil, 'attempt to use a non-string key in the "args" option table'
        end
        name = shared.escape(name)
        if type(value) == "table" then
            for _, one in pairs(value) do
                local wrong = encode_one(parts, name, one)
                if wrong then return nil, wrong end
            end
        else
            local wrong = encode_one(parts, name, value)
            if wrong then return nil, wrong end
        end
    end
    return concat(parts, "&")
end
shared.encode_args = encode

function ngx.encode_args(...)
    local count = select("#", ...)
    if count ~= 1 then error("expecting 1 argument but seen " .. count, 2) end
    local args = ...
    if type(args) ~= "table" then shared.bad_type(1, "table", args) end
    local text, wrong = encode(args)
    if not text then error(wrong, 2) end
    return text
end

function req.set_uri_args(...)
    local count = select("#", ...)
    if count ~= 1 then error("expecting 1 argument but seen " .. count, 2) end
    local args = ...
    shared.check_phase(REQUEST)
    local kind = type(args)
    local text, wrong
    if kind == "string" then
        text = args
    elseif kind == "number" then
        text = shared.number(args)
    elseif kind == "table" then
        text, wrong = encode(args)
        if not text then error(wrong, 2) end
    else
        shared.bad_argument(1, "string, number, or table expected, but got " .. kind)
    end
    if not prim.set_args(text) then error("no memory", 2) end
end

-- A path as an error shows it: controls as \xXX.
local function shown(uri)
    return (uri:gsub("[%z\1-\8\10-\31\127]", function(byte) return ("\\x%02X"):format(byte:byte()) end))
end

function req.set_uri(...)
    local count = select("#", ...)
    if count < 1 or count > 3 then error("expecting 1, 2 or 3 arguments but seen " .. count, 2) end
    local uri, jump, binary = ...
    shared.check_phase(REQUEST)
    uri = shared.text(1, uri)
    if uri == "" then error("attempt to use zero-length uri", 2) end
    if count >= 3 and type(binary) ~= "boolean" then shared.bad_type(3, "boolean", binary) end
    if not binary then
        local unsafe = uri:match "[%z\1-\8\10-\31\127]"
        if unsafe then
            error(('unsafe byte "0x%02x" in uri "%s" (maybe you want to set the \'binary\' argument?)'):format(
                unsafe:byte(), shown(uri)), 2)
        end
    end
    if count >= 2 and type(jump) ~= "boolean" then shared.bad_type(2, "boolean", jump) end
    if jump then
        shared.check_phase(prim.jumps_in)
        shared.check_pending()
    end
    if not prim.set_uri(uri) then error("no memory", 2) end
    if not jump then return end
    prim.jump()
    return shared.exit(ngx.OK)
end
