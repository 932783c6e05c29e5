-- ngx.header, ngx.resp.get_headers, and what they share with ngx.req.get_headers.
local prim, ngx, shared = ...

local ffi = require "ffi"
local C, string = ffi.C, ffi.string
local error, ipairs, rawget, setmetatable, tonumber, tostring, type =
    error, ipairs, rawget, setmetatable, tonumber, tostring, type
local lower, gsub = ("").lower, ("").gsub
local floor, format = math.floor, ("").format

ffi.cdef [[
typedef struct { const char *data; size_t length; } hotlua_text;
typedef struct { hotlua_text name; hotlua_text value; } hotlua_pair;
int hotlua_header_set(const char *name, size_t name_length, const char *value, size_t value_length, bool append);
int hotlua_header_get(const char *name, size_t length, hotlua_text *values, size_t room);
int hotlua_response_headers(bool raw, hotlua_pair *pairs, size_t room);
]]

-- What the setters of src/ffi answer.
local DONE, SENT, NO_REQUEST, DUE = 0, 1, -1, shared.DUE
local settle = shared.settle

local new_texts, new_pairs = ffi.typeof "hotlua_text[?]", ffi.typeof "hotlua_pair[?]"

-- Room for the values of one header; more where one was found to have more.
local room = 8
local texts = new_texts(room)

local function read(_, name)
    if type(name) ~= "string" then name = tostring(name) end
    local count = C.hotlua_header_get(name, #name, texts, room)
    if count == DUE then
        settle()
        count = C.hotlua_header_get(name, #name, texts, room)
    end
    if count == 0 then return nil end
    if count == 1 then
        -- No tail call: LuaJIT cannot compile a return through a library function.
        local value = string(texts[0].data, texts[0].length)
        return value
    end
    if count == NO_REQUEST then shared.no_request(2) end
    if count > room then
        room = count
        texts = new_texts(room)
        C.hotlua_header_get(name, #name, texts, room)
    end
    local values = {}
    for i = 1, count do values[i] = string(texts[i - 1].data, texts[i - 1].length) end
    return values
end

-- `level` is that of the code that assigns.
local function failed(rc, level)
    if rc == SENT then
        prim.log_sent("ngx.header.HEADER")
    elseif rc == NO_REQUEST then
        shared.no_request(level + 1)
    else
        error("failed to set header", level + 1)
    end
end

local function write_all(name, values)
    if values[1] == nil then
        local rc = C.hotlua_header_set(name, #name, nil, 0, false)
        if rc ~= DONE then failed(rc, 3) end
    end
    for i, value in ipairs(values) do
        value = tostring(value)
        local rc = C.hotlua_header_set(name, #name, value, #value, i > 1)
        if rc ~= DONE then
            failed(rc, 3)
            return
        end
    end
end

local function write(_, name, value)
    if type(name) ~= "string" then name = tostring(name) end
    if type(value) ~= "string" then
        if type(value) == "table" then
            write_all(name, value)
            return
        end
        value = value == nil and "" or tostring(value)
    end
    local rc = C.hotlua_header_set(name, #name, value, #value, false)
    if rc ~= DONE then failed(rc, 2) end
end

ngx.header = setmetatable({}, { __index = read, __newindex = write })

-- Sets a header that stands beside those of its name, where it can have several.
local function add(name, value)
    if type(name) ~= "string" then name = tostring(name) end
    if value == nil then error("invalid header value", 2) end
    local values = type(value) == "table" and value or { value }
    for i = 1, #values do
        value = tostring(values[i])
        local rc = C.hotlua_header_set(name, #name, value, #value, true)
        if rc ~= DONE then
            failed(rc, 2)
            return
        end
    end
end

-- The module that goes with the API above.
local module = { add_header = add }

-- Has nginx send the response whatever the request's If-* headers say.
function module.bypass_if_checks()
    if not prim.bypass_if_checks() then shared.no_request(2) end
end

package.preload["ngx.resp"] = function() return module end

-- How many headers are read where the caller sets no limit.
local LIMIT = 100

-- Finds header names however they are written: `h.Content_Type` is `h["content-type"]`.
local normalized = {
    __index = function(headers, name)
        if type(name) ~= "string" then return nil end
        return rawget(headers, (gsub(lower(name), "_", "-")))
    end,
}

local pairs_room = LIMIT
local found = new_pairs(pairs_room)

-- Makes a table of what the C function `fetch` lists; `level` is that of the code that asks.
function shared.header_table(kind, fetch, limit, raw, level)
    raw = not not raw
    local count = fetch(raw, found, pairs_room)
    if count == DUE then
        settle()
        count = fetch(raw, found, pairs_room)
    end
    if count == NO_REQUEST then shared.no_request(level + 1) end
    local err
    if limit > 0 and count > limit then
        count, err = limit, "truncated"
        prim.log_limit(kind, limit)
    end
    if count > pairs_room then
        pairs_room = count
        found = new_pairs(pairs_room)
        fetch(raw, found, pairs_room)
    end
    local headers = {}
    for i = 0, count - 1 do
        local name, value = found[i].name, found[i].value
        name, value = string(name.data, name.length), string(value.data, value.length)
        local present = headers[name]
        if present == nil then
            headers[name] = value
        elseif type(present) == "table" then
            present[#present + 1] = value
        else
            headers[name] = { present, value }
        end
    end
    if not raw then setmetatable(headers, normalized) end
    return headers, err
end

-- The limit that a caller gave, as a whole number.
function shared.header_limit(limit, level)
    if limit == nil then return LIMIT end
    local number = tonumber(limit)
    if not number then
        error(format("bad argument #1 to 'get_headers' (number expected, got %s)", type(limit)), level + 1)
    end
    return floor(number)
end

local function response_headers(raw, pairs, size)
    local count = C.hotlua_response_headers(raw, pairs, size)
    return count
end

ngx.resp = ngx.resp or {}

function ngx.resp.get_headers(limit, raw)
    local headers, err = shared.header_table("response", response_headers, shared.header_limit(limit, 2), raw, 2)
    return headers, err
end
