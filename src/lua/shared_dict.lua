-- ngx.shared.DICT
local _, ngx, shared = ...

local ffi = require "ffi"
local C, string, cast, istype = ffi.C, ffi.string, ffi.cast, ffi.istype
local error, type, tostring, tonumber, select, setmetatable = error, type, tostring, tonumber, select, setmetatable
local bad_type, integer = shared.bad_type, shared.integer

ffi.cdef [[
typedef struct hotlua_dict hotlua_dict;
typedef struct { double number; uint32_t length; int kind; int flags; bool stale; bool forcible; } hotlua_dict_slot;
int hotlua_dict_get(hotlua_dict *dict, const char *key, size_t key_length, bool stale, char *into, size_t room,
    hotlua_dict_slot *slot);
int hotlua_dict_store(hotlua_dict *dict, const char *key, size_t key_length, int kind, double number, const char *text,
    size_t length, int when, bool evict, int64_t ttl, int flags, hotlua_dict_slot *slot);
int hotlua_dict_incr(hotlua_dict *dict, const char *key, size_t key_length, double by, bool has_init, double init,
    int64_t ttl, hotlua_dict_slot *slot);
int hotlua_dict_push(hotlua_dict *dict, const char *key, size_t key_length, bool left, int kind, double number,
    const char *text, size_t length);
int hotlua_dict_pop(hotlua_dict *dict, const char *key, size_t key_length, bool left, char *into, size_t room,
    hotlua_dict_slot *slot);
int hotlua_dict_llen(hotlua_dict *dict, const char *key, size_t key_length);
int hotlua_dict_ttl(hotlua_dict *dict, const char *key, size_t key_length, hotlua_dict_slot *slot);
int hotlua_dict_expire(hotlua_dict *dict, const char *key, size_t key_length, int64_t ttl);
void hotlua_dict_flush_all(hotlua_dict *dict);
int hotlua_dict_flush_expired(hotlua_dict *dict, int most);
double hotlua_dict_keys(hotlua_dict *dict, int most, char *into, size_t room, hotlua_dict_slot *slot);
double hotlua_dict_capacity(hotlua_dict *dict);
double hotlua_dict_free_space(hotlua_dict *dict);
]]

local NOT_FOUND, NOT_LIST, IS_LIST, TOO_LONG, NO_MEMORY_FOR_LIST = -1, -5, -6, -7, -8
local ERRORS = {
    [NOT_FOUND] = "not found", [-2] = "exists", [-3] = "no memory", [-4] = "not a number",
    [NOT_LIST] = "value not a list", [IS_LIST] = "value is a list", [NO_MEMORY_FOR_LIST] = "no memory",
}

-- What a value may be, as the C functions know it.
local NIL, BOOLEAN, NUMBER, STRING = 0, 1, 3, 4

-- When a value is stored.
local ALWAYS, ABSENT, PRESENT = 0, 1, 2

local LONGEST_KEY = 65535
-- How many keys get_keys gives where it is not told.
local KEYS = 1024

-- What is read passes through one buffer of `room` bytes, which grows; but a text that takes more than MOST gets one of
-- its own, so that it does not stay in every worker.
local MOST = 1024 * 1024
local room = 4096
local usual = ffi.new("char[?]", room)
local slot = ffi.new "hotlua_dict_slot"
local bytes = ffi.typeof "const uint8_t *"
local dict_type = ffi.typeof "hotlua_dict *"

local methods = {}
methods.__index = methods
ngx.shared = {}

-- Gives scripts a dictionary.
function shared.share_dict(name, address)
    ngx.shared[name] = setmetatable({ cast(dict_type, cast("uintptr_t", address)) }, methods)
end

-- The dictionary that a method was called on.
local function dict_of(self)
    local dict = type(self) == "table" and self[1]
    if not istype(dict_type, dict) then error('bad "zone" argument', 3) end
    return dict
end

-- A key as a string; or nil and what is wrong with it.
local function key_of(key)
    if type(key) ~= "string" then
        if key == nil then return nil, "nil key" end
        key = tostring(key)
    end
    local length = #key
    if length == 0 then return nil, "empty key" end
    if length > LONGEST_KEY then return nil, "key too long" end
    return key
end

-- What a call has read into `slot`; a string is in `into`.
local function value_of(into)
    local kind = slot.kind
    if kind == STRING then
        local text = string(into, slot.length)
        return text
    end
    if kind == NUMBER then return slot.number end
    return slot.number ~= 0
end

-- A buffer of at least `size` bytes, and its size.
local function larger(size)
    if size > MOST then return ffi.new("char[?]", size), size end
    while room < size do room = room * 2 end
    usual = ffi.new("char[?]", room)
    return usual, room
end

-- Reads a value: the answer of the C function, and the buffer with the text.
local function read(dict, key, stale)
    local into, size = usual, room
    local rc = C.hotlua_dict_get(dict, key, #key, stale, into, size, slot)
    while rc == TOO_LONG do
        into, size = larger(slot.length)
        rc = C.hotlua_dict_get(dict, key, #key, stale, into, size, slot)
    end
    return rc, into
end

function methods.get(self, key)
    local dict = dict_of(self)
    local name, err = key_of(key)
    if not name then return nil, err end
    local rc, into = read(dict, name, false)
    if rc == NOT_FOUND then return nil end
    if rc == IS_LIST then return nil, ERRORS[IS_LIST] end
    local value, flags = value_of(into), slot.flags
    if flags ~= 0 then return value, flags end
    return value
end

function methods.get_stale(self, key)
    local dict = dict_of(self)
    local name, err = key_of(key)
    if not name then return nil, err end
    local rc, into = read(dict, name, true)
    if rc == NOT_FOUND then return nil end
    if rc == IS_LIST then return nil, ERRORS[IS_LIST] end
    local value, flags = value_of(into), slot.flags
    if flags == 0 then flags = nil end
    return value, flags, slot.stale
end

-- Methods tail-call it, so that level 2 of what it raises is their caller.
local function store(self, key, value, exptime, flags, when, evict)
    local dict = type(self) == "table" and self[1]
    if not istype(dict_type, dict) then error('bad "zone" argument', 2) end
    local ttl = 0
    if exptime then
        if exptime < 0 then error('bad "exptime" argument', 2) end
        ttl = exptime * 1000
    end
    local name, err = key_of(key)
    if not name then return nil, err end
    local of, kind, number, text, length = type(value), NIL, 0, nil, 0
    if of == "string" then
        kind, text, length = STRING, value, #value
    elseif of == "number" then
        kind, number = NUMBER, value
    elseif of == "boolean" then
        kind, number = BOOLEAN, value and 1 or 0
    elseif of ~= "nil" then
        return nil, "bad value type"
    elseif when ~= ALWAYS then
        return false, "attempt to add or replace nil values", false
    end
    local rc = C.hotlua_dict_store(dict, name, #name, kind, number, text, length, when, evict, ttl, flags or 0, slot)
    if rc ~= 0 then return false, ERRORS[rc], slot.forcible end
    return true, nil, slot.forcible
end

function methods.set(self, key, value, exptime, flags)
    return store(self, key, value, exptime, flags, ALWAYS, true)
end

function methods.safe_set(self, key, value, exptime, flags)
    return store(self, key, value, exptime, flags, ALWAYS, false)
end

function methods.add(self, key, value, exptime, flags)
    return store(self, key, value, exptime, flags, ABSENT, true)
end

function methods.safe_add(self, key, value, exptime, flags)
    return store(self, key, value, exptime, flags, ABSENT, false)
end

function methods.replace(self, key, value, exptime, flags)
    return store(self, key, value, exptime, flags, PRESENT, true)
end

function methods.delete(self, key)
    return store(self, key, nil, nil, nil, ALWAYS, true)
end

function methods.incr(self, key, value, init, init_ttl)
    local dict = dict_of(self)
    local name, err = key_of(key)
    if not name then return nil, err end
    local by, start, ttl = tonumber(value), 0, 0
    if not by then error("cannot convert 'nil' to 'double'", 2) end
    if init then
        start = tonumber(init)
        if not start then error("bad init arg: number expected, got " .. type(init), 2) end
    end
    if init_ttl ~= nil then
        ttl = tonumber(init_ttl)
        if not ttl then error("bad init_ttl arg: number expected, got " .. type(init_ttl), 2) end
        if ttl < 0 then error('bad "init_ttl" argument', 2) end
        if not init then error('must provide "init" when providing "init_ttl"', 2) end
        ttl = ttl * 1000
    end
    local rc = C.hotlua_dict_incr(dict, name, #name, by, init and true or false, start, ttl, slot)
    if rc ~= 0 then return nil, ERRORS[rc] end
    if not init then return slot.number end
    return slot.number, nil, slot.forcible
end

function methods.ttl(self, key)
    local dict = dict_of(self)
    local name, err = key_of(key)
    if not name then return nil, err end
    if C.hotlua_dict_ttl(dict, name, #name, slot) == NOT_FOUND then return nil, ERRORS[NOT_FOUND] end
    return slot.number / 1000
end

function methods.expire(self, key, exptime)
    local dict = dict_of(self)
    if not exptime then error('bad "exptime" argument', 2) end
    local name, err = key_of(key)
    if not name then return nil, err end
    if C.hotlua_dict_expire(dict, name, #name, exptime * 1000) == NOT_FOUND then return nil, ERRORS[NOT_FOUND] end
    return true
end

function methods.flush_all(self)
    C.hotlua_dict_flush_all(dict_of(self))
end

function methods.capacity(self)
    local capacity = C.hotlua_dict_capacity(dict_of(self))
    return capacity
end

function methods.free_space(self)
    local free = C.hotlua_dict_free_space(dict_of(self))
    return free
end

-- The rest has always been called as C functions are: with an exact number of arguments, keys that are strings or numbers.

-- A key that is the second argument of `count`; or nil and what is wrong with it.
local function strict_key(key, count)
    if key ~= nil and type(key) ~= "string" and type(key) ~= "number" then bad_type(2, "string", key, count, 2) end
    return key_of(key)
end

local function check_count(count, expected)
    if count ~= expected then error("expecting " .. expected .. " arguments, but only seen " .. count, 3) end
end

local function push(left)
    return function(...)
        local count = select("#", ...)
        check_count(count, 3)
        local self, key, value = ...
        local dict = dict_of(self)
        local name, err = strict_key(key, count)
        if not name then return nil, err end
        local rc
        if type(value) == "string" then
            rc = C.hotlua_dict_push(dict, name, #name, left, STRING, 0, value, #value)
        elseif type(value) == "number" then
            rc = C.hotlua_dict_push(dict, name, #name, left, NUMBER, value, nil, 0)
        else
            return nil, "bad value type"
        end
        if rc > 0 then return rc end
        if rc == NO_MEMORY_FOR_LIST then return false, ERRORS[rc] end
        return nil, ERRORS[rc]
    end
end

methods.lpush, methods.rpush = push(true), push(false)

local function pop(left)
    return function(...)
        local count = select("#", ...)
        check_count(count, 2)
        local self, key = ...
        local dict = dict_of(self)
        local name, err = strict_key(key, count)
        if not name then return nil, err end
        local into, size = usual, room
        local rc = C.hotlua_dict_pop(dict, name, #name, left, into, size, slot)
        while rc == TOO_LONG do
            into, size = larger(slot.length)
            rc = C.hotlua_dict_pop(dict, name, #name, left, into, size, slot)
        end
        if rc == NOT_FOUND then return nil end
        if rc ~= 0 then return nil, ERRORS[rc] end
        local value = value_of(into)
        return value
    end
end

methods.lpop, methods.rpop = pop(true), pop(false)

function methods.llen(...)
    local count = select("#", ...)
    check_count(count, 2)
    local self, key = ...
    local dict = dict_of(self)
    local name, err = strict_key(key, count)
    if not name then return nil, err end
    local rc = C.hotlua_dict_llen(dict, name, #name)
    if rc < 0 then return nil, ERRORS[rc] end
    return rc
end

-- The dictionary and the number of the calls that take both; `default` is the number where there is none.
local function dict_and_number(default, count, self, most)
    if count ~= 1 and count ~= 2 then error("expecting 1 or 2 argument(s), but saw " .. count, 3) end
    if type(self) ~= "table" then bad_type(1, "table", self, count, 2) end
    local dict = self[1]
    if not istype(dict_type, dict) then error("bad user data for the ngx_shm_zone_t pointer", 3) end
    if count == 2 then default = integer(2, most, count, 2) end
    return dict, default
end

function methods.flush_expired(...)
    local dict, most = dict_and_number(0, select("#", ...), ...)
    local removed = C.hotlua_dict_flush_expired(dict, most)
    return removed
end

function methods.get_keys(...)
    local dict, most = dict_and_number(KEYS, select("#", ...), ...)
    local into, size = usual, room
    local needed = C.hotlua_dict_keys(dict, most, into, size, slot)
    while needed > size do
        into, size = larger(needed)
        needed = C.hotlua_dict_keys(dict, most, into, size, slot)
    end
    local keys, at = {}, cast(bytes, into)
    for i = 1, slot.length do
        local length = cast("const uint16_t *", at)[0]
        keys[i] = string(at + 2, length)
        at = at + 2 + length
    end
    return keys
end
