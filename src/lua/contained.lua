-- What a contained script finds: the libraries in Lua where C would call back into it, and each run's own globals.
local prim, names = ...

local type, select, rawget, rawset, setmetatable, pcall, error = type, select, rawget, rawset, setmetatable, pcall, error
local unpack, pairs, tonumber = unpack, pairs, tonumber
local byte, sub, format, rep, lower, upper, reverse = string.byte, string.sub, string.format, string.rep, string.lower,
    string.upper, string.reverse
local concat, maxn = table.concat, table.maxn
local floor, randomseed = math.floor, math.randomseed
local clone, weigh, metafield, address = prim.clone, prim.weigh, prim.metafield, prim.address
local find, scan, scan_unanchored = prim.find, prim.scan, prim.scan_unanchored
local stock_tostring = tostring

-- Basic functions

local OBJECT = { table = true, ["function"] = true, thread = true, userdata = true }

local function tostring(...)
    local value = ...
    local kind = type(value)
    if not OBJECT[kind] then return stock_tostring(...) end
    local convert = metafield(value, "__tostring")
    if convert ~= nil then return convert(value) end
    return kind .. ": " .. address(value)
end

-- LuaJIT's own does not look whether the stack has room for its frame: one that calls itself again (as `__call`, or
-- handed to itself thousands of times) writes beyond. A Lua function looks, and as a tail call it leaves nothing there.
local function protected(...)
    return pcall(...)
end

-- The handler runs once the error has left: no C function stands between it and the host.
local function handled(handler, ok, ...)
    if ok then return true, ... end
    return false, select(2, pcall(handler, ...))
end

local function xpcall(f, handler, ...)
    if type(handler) ~= "function" then
        local kind = handler == nil and "no value" or type(handler)
        error("bad argument #2 to 'xpcall' (function expected, got " .. kind .. ")", 2)
    end
    return handled(handler, pcall(f, ...))
end

-- string

local function objects_as_text(...)
    local count = select("#", ...)
    local values = { ... }
    for i = 1, count do
        if OBJECT[type(values[i])] then
            local text = tostring(values[i])
            if type(text) ~= "string" then error("'tostring' must return a string to 'format'", 3) end
            values[i] = text
        end
    end
    return unpack(values, 1, count)
end

local strings = { byte = byte, char = string.char, len = string.len, sub = sub }

-- A search that was paused raises at the instruction behind the call: that must be inside of what the script has called.
local function passed(...) return ... end
local match = prim.match

function strings.find(...)
    return passed(find(...))
end

function strings.match(...)
    return passed(match(...))
end

function strings.format(...)
    if prim.formattable(...) then return format(...) end
    return format((...), objects_as_text(select(2, ...)))
end

function strings.rep(...)
    weigh(...)
    return rep(...)
end

function strings.lower(...)
    weigh((...))
    return lower(...)
end

function strings.upper(...)
    weigh((...))
    return upper(...)
end

function strings.reverse(...)
    weigh((...))
    return reverse(...)
end

-- A string argument as the stock functions take it.
local function check_string(value, at, name)
    local kind = type(value)
    if kind == "string" then return value end
    if kind == "number" then return stock_tostring(value) end
    if value == nil then kind = "no value" end
    error("bad argument #" .. at .. " to '" .. name .. "' (string expected, got " .. kind .. ")", 3)
end

function strings.gmatch(subject, pattern)
    subject, pattern = check_string(subject, 1, "gmatch"), check_string(pattern, 2, "gmatch")
    local at, last = 1, #subject + 1
    local function step(from, to, ...)
        if not from then
            at = last + 1
            return nil
        end
        -- After an empty match the next one begins a byte further.
        at = to < from and to + 2 or to + 1
        if select("#", ...) == 0 then return sub(subject, from, to) end
        return ...
    end
    return function()
        if at > last then return nil end
        return step(scan_unanchored(subject, pattern, at))
    end
end

-- The parts of a replacement: strings, and numbers for captures.
local function parts_of(text)
    local parts, count, at = {}, 0, 1
    while true do
        local percent = find(text, "%", at, true)
        if not percent then break end
        if percent > at then
            count = count + 1
            parts[count] = sub(text, at, percent - 1)
        end
        local digit = byte(text, percent + 1)
        count = count + 1
        if digit and digit >= 48 and digit <= 57 then
            parts[count] = digit - 48
        else
            parts[count] = digit and sub(text, percent + 1, percent + 1) or "\0"
        end
        at = percent + 2
    end
    parts[count + 1] = sub(text, at)
    return parts
end

local function filled(parts, subject, from, to, ...)
    local captures = select("#", ...)
    local texts = {}
    for i = 1, #parts do
        local part = parts[i]
        if type(part) == "string" then
            texts[i] = part
        elseif part == 0 or (part == 1 and captures == 0) then
            texts[i] = sub(subject, from, to)
        elseif part > captures then
            error("invalid capture index", 4)
        else
            texts[i] = (select(part, ...))
        end
    end
    return concat(texts)
end

local function replaced(kind, replacement, parts, subject, from, to, ...)
    if not from then return nil end
    local value
    if kind == "string" then
        value = parts and filled(parts, subject, from, to, ...) or replacement
    else
        local key = ...
        if select("#", ...) == 0 then key = sub(subject, from, to) end
        if kind == "table" then
            value = replacement[key]
        elseif select("#", ...) == 0 then
            value = replacement(key)
        else
            value = replacement(...)
        end
        if not value then
            value = sub(subject, from, to)
        elseif type(value) == "number" then
            value = stock_tostring(value)
        elseif type(value) ~= "string" then
            error("invalid replacement value (a " .. type(value) .. ")", 3)
        end
    end
    return from, to, value
end

function strings.gsub(subject, pattern, replacement, most)
    subject, pattern = check_string(subject, 1, "gsub"), check_string(pattern, 2, "gsub")
    local kind = type(replacement)
    if kind == "number" then
        replacement, kind = stock_tostring(replacement), "string"
    elseif kind ~= "string" and kind ~= "table" and kind ~= "function" then
        if replacement == nil then kind = "no value" end
        error("bad argument #3 to 'gsub' (string/function/table expected, got " .. kind .. ")", 2)
    end
    local last = #subject + 1
    if most == nil then
        most = last
    else
        local number = tonumber(most)
        if not number then error("bad argument #4 to 'gsub' (number expected, got " .. type(most) .. ")", 2) end
        most = floor(number)
    end
    local parts = kind == "string" and find(replacement, "%", 1, true) and parts_of(replacement)
    local anchored = byte(pattern, 1) == 94
    local texts, count, found, at = {}, 0, 0, 1
    while found < most and at <= last do
        local from, to, value = replaced(kind, replacement, parts, subject, scan(subject, pattern, at))
        if not from then break end
        found = found + 1
        if from > at then
            count = count + 1
            texts[count] = sub(subject, at, from - 1)
        end
        count = count + 1
        texts[count] = value
        if to >= from then
            at = to + 1
        else
            -- Behind an empty match one byte stays as it is.
            if from < last then
                count = count + 1
                texts[count] = sub(subject, from, from)
            end
            at = from + 1
        end
        if anchored then break end
    end
    if found == 0 then return subject, 0 end
    if at < last then
        count = count + 1
        texts[count] = sub(subject, at)
    end
    return concat(texts, "", 1, count), found
end

-- table

local function check_table(value, name)
    if type(value) == "table" then return end
    error("bad argument #1 to '" .. name .. "' (table expected, got " .. (value == nil and "no value" or type(value)) .. ")", 3)
end

local function less(a, b) return a < b end

-- A merge sort: in Lua, so that its steps count and the comparison may yield, and safe with any comparison.
local function sort(values, before)
    check_table(values, "sort")
    if before == nil then
        before = less
    elseif type(before) ~= "function" then
        error("bad argument #2 to 'sort' (function expected, got " .. type(before) .. ")", 2)
    end
    local count = #values
    local from, to = {}, {}
    for i = 1, count do from[i] = rawget(values, i) end
    -- Short runs by insertion, then pairs of runs.
    local RUN = 8
    for low = 1, count, RUN do
        for i = low + 1, low + RUN - 1 do
            if i > count then break end
            local value, at = from[i], i
            while at > low and before(value, from[at - 1]) do
                from[at] = from[at - 1]
                at = at - 1
            end
            from[at] = value
        end
    end
    local width = RUN
    while width < count do
        for low = 1, count, 2 * width do
            local left, right = low, low + width
            local left_end, right_end = right, low + 2 * width
            if left_end > count + 1 then left_end = count + 1 end
            if right_end > count + 1 then right_end = count + 1 end
            for at = low, right_end - 1 do
                if left < left_end and (right >= right_end or not before(from[right], from[left])) then
                    to[at] = from[left]
                    left = left + 1
                else
                    to[at] = from[right]
                    right = right + 1
                end
            end
        end
        from, to = to, from
        width = 2 * width
    end
    for i = 1, count do rawset(values, i, from[i]) end
end

local insert = prim.insert
local tables = { remove = table.remove, sort = sort }

function tables.insert(...)
    local values, at, last, value = insert(...)
    if not values then return end
    for i = last, at + 1, -1 do rawset(values, i, rawget(values, i - 1)) end
    rawset(values, at, value)
end

-- How many values are made one text at once: writing numbers takes time, and between the pieces it may be paused.
local PIECE = 1000

local function check_index(value, at)
    local number = tonumber(value)
    if not number or number ~= number or number >= 2 ^ 31 or number < -2 ^ 31 then
        error("bad argument #" .. at .. " to 'concat' (number expected, got " .. type(value) .. ")", 3)
    end
    return number - number % 1
end

function tables.concat(...)
    weigh((...))
    local values, separator, from, to = ...
    if type(values) ~= "table" then return concat(...) end
    from = from == nil and 1 or check_index(from, 3)
    to = to == nil and #values or check_index(to, 4)
    if to - from < PIECE then return concat(values, separator, from, to) end
    local texts, count = {}, 0
    for at = from, to, PIECE do
        count = count + 1
        texts[count] = concat(values, separator, at, at + PIECE <= to and at + PIECE - 1 or to)
    end
    return concat(texts, separator)
end

function tables.maxn(...)
    weigh((...))
    return maxn(...)
end

-- coroutine

local create, resume = prim.create, prim.resume

local function unwrapped(ok, ...)
    if ok then return ... end
    local message = ...
    error(message, type(message) == "string" and 2 or 0)
end

local coroutines = {
    create = create, resume = resume, yield = prim.yield, status = prim.status, running = prim.running,
    isyieldable = prim.isyieldable,
}

function coroutines.wrap(f)
    local co = create(f)
    return function(...) return unwrapped(resume(co, ...)) end
end

-- math
local maths = math

-- os
local date, time = os.date, os.time
local oses = { clock = os.clock }

function oses.date(...)
    if not prim.is_short((...)) then error("bad argument #1 to 'date' (format is too long)", 2) end
    return date(...)
end

-- The stock one asks a table for its fields by metamethods, from C.
local TIME = { "year", "month", "day", "hour", "min", "sec", "isdst" }

function oses.time(...)
    local fields = ...
    if type(fields) ~= "table" then return time(...) end
    local plain = {}
    for i = 1, #TIME do plain[TIME[i]] = rawget(fields, TIME[i]) end
    return time(plain)
end

-- ngx
local ngxes = {
    say = prim.say, print = prim.print, exit = prim.exit, status = 200, header = true,
    time = prim.time, now = prim.now, localtime = prim.localtime, utctime = prim.utctime,
    http_time = prim.http_time, cookie_time = prim.cookie_time,
    escape_uri = prim.escape_uri, unescape_uri = prim.unescape_uri,
    encode_base64 = prim.encode_base64, decode_base64 = prim.decode_base64,
    md5 = prim.md5, md5_bin = prim.md5_bin, sha1_bin = prim.sha1_bin, crc32_short = prim.crc32, crc32_long = prim.crc32,
    decode_args = prim.decode_args, var = true,
    ["req.get_method"] = prim.method, ["req.get_uri_args"] = prim.uri_args, ["req.get_headers"] = prim.headers,
}

function ngxes.today() return sub(prim.localtime(), 1, 10) end

local escape = prim.escape_uri

function ngxes.encode_args(args)
    check_table(args, "encode_args")
    local texts, count = {}, 0
    local function add(name, value)
        if value == false or value == nil then return end
        local kind = type(value)
        count = count + 1
        if value == true then
            texts[count] = escape(name)
        elseif kind == "string" or kind == "number" then
            texts[count] = escape(name) .. "=" .. escape(stock_tostring(value))
        else
            error("attempt to use " .. kind .. " as query arg value", 3)
        end
    end
    for name, value in pairs(args) do
        if type(name) ~= "string" then error("attempt to use a non-string key in the \"args\" arg table", 2) end
        if type(value) == "table" then
            for i = 1, #value do add(name, value[i]) end
        else
            add(name, value)
        end
    end
    return concat(texts, "&")
end

-- What is offered, by library; "" is the basic one.
local OFFERED = {
    [""] = {
        assert = assert, error = error, getmetatable = getmetatable, ipairs = ipairs, next = next, pairs = pairs,
        pcall = protected, rawequal = rawequal, rawget = rawget, rawset = rawset, select = select,
        setmetatable = setmetatable, tonumber = tonumber, tostring = tostring, type = type, unpack = unpack,
        xpcall = xpcall, _VERSION = _VERSION, _G = true,
    },
    math = maths, string = strings, table = tables, coroutine = coroutines, os = oses, bit = bit, ngx = ngxes,
}

-- What a run gets, as tables that are copied for it.
local globals, libraries, library_names = {}, {}, {}
local ngx_fields, req_fields, methods

for i = 1, #names do
    local library, leaf = prim.match(names[i], "^([^.]+)%.(.+)$")
    if not library then library, leaf = "", names[i] end
    local value = OFFERED[library][leaf]
    if value == nil then error("no such name: " .. names[i]) end
    local req = prim.match(leaf, "^req%.(.+)$")
    if library == "" then
        globals[leaf] = value
    elseif req then
        ngx_fields, req_fields = ngx_fields or {}, req_fields or {}
        req_fields[req] = value
        ngx_fields.req = true
    elseif library == "ngx" then
        ngx_fields = ngx_fields or {}
        ngx_fields[leaf] = value
    else
        local copied = libraries[library]
        if not copied then
            copied = {}
            libraries[library] = copied
            library_names[#library_names + 1] = library
        end
        copied[leaf] = value
    end
end

-- The methods of strings are those of the allowed library, in a table that no script reaches.
methods = getmetatable("")
methods.__index = clone(libraries.string or {})
methods.__metatable = false

local VARIABLES = {
    __index = prim.variable,
    __newindex = function() error("ngx.var is read-only in a sandbox", 2) end,
    __metatable = false,
}

-- The fields of a library that a source asks for, as a table that is copied for each run; `all` where the library is
-- asked for in any other way than `library.field`. What is left out cannot be missed: nothing else names it.
local function asked_for(source, library, all)
    local fields, at = {}, 1
    -- Nothing bounds the time of this: a source that names the library very often gets all of it.
    for _ = 1, 200 do
        local from, to = find(source, library, at, true)
        if not from then return fields end
        local is_part = from > 1 and match(source, "^[%w_]", from - 1) or match(source, "^[%w_]", to + 1)
        if not is_part then
            local field = match(source, "^%.([%a_][%w_]*)", to + 1)
            if not field then return all end
            fields[field] = all[field]
        end
        at = to + 1
    end
    return all
end

-- Makes what gives a script's runs their globals. A global is found by its name in the source alone, so what is not
-- named there need not be copied; by `_G` all of it is found.
return function(source)
    local all = find(source, "_G", 1, true)
    local function is_named(name) return all or find(source, name, 1, true) end
    local own, used, used_names = {}, {}, {}
    for name, value in pairs(globals) do
        if is_named(name) then own[name] = value end
    end
    for i = 1, #library_names do
        local name = library_names[i]
        if is_named(name) then
            used_names[#used_names + 1] = name
            used[#used + 1] = all and libraries[name] or asked_for(source, name, libraries[name])
            -- The copy is as large as it will be.
            own[name] = true
        end
    end
    local count = #used
    local fields = ngx_fields and is_named("ngx") and (all and ngx_fields or asked_for(source, "ngx", ngx_fields))
    if fields then own.ngx = true end
    local header, variables, methods = fields and fields.header, fields and fields.var, fields and fields.req

    local random = prim.random
    local draws = own.math and is_named("random")

    -- The globals of a run, and its ngx.
    return function()
        -- The generator is the VM's: a run must neither find the last one's seed nor draw on where that one stopped.
        if draws then randomseed(random()) end
        local env = clone(own)
        if own._G then env._G = env end
        for i = 1, count do env[used_names[i]] = clone(used[i]) end
        if not fields then return env end
        local ngx = clone(fields)
        if header then ngx.header = {} end
        if variables then ngx.var = setmetatable({}, VARIABLES) end
        if methods then ngx.req = clone(req_fields) end
        env.ngx = ngx
        return env, ngx
    end
end
