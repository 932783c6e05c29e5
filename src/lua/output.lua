-- ngx.say, ngx.print, ngx.flush, ngx.eof, ngx.send_headers.
local prim, ngx, shared = ...

local ffi = require "ffi"
local C = ffi.C
local select, type, pairs, error = select, type, pairs, error
local floor, concat = math.floor, table.concat
local null = shared.null
local OUTPUT = shared.phases.output

ffi.cdef [[
int hotlua_put1(int newline, const char *a, ptrdiff_t a_length, double a_number);
int hotlua_put2(int newline, const char *a, ptrdiff_t a_length, double a_number,
    const char *b, ptrdiff_t b_length, double b_number);
int hotlua_put3(int newline, const char *a, ptrdiff_t a_length, double a_number,
    const char *b, ptrdiff_t b_length, double b_number, const char *c, ptrdiff_t c_length, double c_number);
]]

local flatten

-- Adds the text of an array's elements to `parts`. Returns what is wrong, if anything.
local function flatten_table(parts, array)
    local length = 0
    for key in pairs(array) do
        if type(key) ~= "number" or key < 1 or key ~= floor(key) then return "non-array table found" end
        if key > length then length = key end
    end
    for i = 1, length do
        local wrong = flatten(parts, array[i])
        if wrong then return wrong end
    end
end

-- Adds the text of one value to `parts`. Returns what is wrong, if anything.
function flatten(parts, value)
    local kind = type(value)
    if kind == "table" then return flatten_table(parts, value) end
    local text
    if kind == "string" then
        text = value
    elseif kind == "number" then
        text = shared.number(value)
    elseif kind == "nil" then
        text = "nil"
    elseif kind == "boolean" then
        text = value and "true" or "false"
    elseif kind == "userdata" and value == null then
        text = "null"
    else
        return "bad data type " .. kind .. " found"
    end
    parts[#parts + 1] = text
end

-- The text of a value as ngx.print writes it; or nil and what is wrong.
function shared.flatten(value)
    local parts = {}
    local wrong = flatten(parts, value)
    if wrong then return nil, wrong end
    return concat(parts)
end

-- Raises for a call that may not output, or returns why it cannot.
local function refused()
    shared.check_phase(OUTPUT, 2)
    local takes, why = prim.takes_output()
    return not takes and why
end

-- Takes any arguments and sends the header. Called in the place of say or print, at whose level it raises.
local function output(newline, ...)
    local parts = {}
    for i = 1, select("#", ...) do
        local value = select(i, ...)
        local wrong = flatten(parts, value)
        if wrong then
            local why = refused()
            if why then return nil, why end
            if type(value) ~= "table" then
                wrong = "string, number, boolean, nil, ngx.null, or array table expected, but got " .. type(value)
            end
            shared.bad_argument(i, wrong, 1)
        end
    end
    if newline == 1 then parts[#parts + 1] = "\n" end
    local done, err = prim.print(concat(parts))
    if done then return 1 end
    if done == false then refused() end
    return nil, err
end

-- The hot path: what fits is appended by one call, which LuaJIT compiles into a plain C call. A length of -1 says
-- that the argument is a number. Lua's own strings are passed, so nothing is copied but into the response.
local function writer(newline)
    return function(...)
        local count = select("#", ...)
        if count == 1 then
            local a = ...
            local at = type(a)
            if at == "string" then
                if C.hotlua_put1(newline, a, #a, 0) == 1 then return 1 end
            elseif at == "number" then
                if C.hotlua_put1(newline, "", -1, a) == 1 then return 1 end
            end
        elseif count == 2 then
            local a, b = ...
            local al, bl, an, bn = -1, -1, 0, 0
            local at, bt = type(a), type(b)
            if at == "string" then al = #a elseif at == "number" then a, an = "", a else return output(newline, ...) end
            if bt == "string" then bl = #b elseif bt == "number" then b, bn = "", b else return output(newline, ...) end
            if C.hotlua_put2(newline, a, al, an, b, bl, bn) == 1 then return 1 end
        elseif count == 3 then
            local a, b, c = ...
            local al, bl, cl, an, bn, cn = -1, -1, -1, 0, 0, 0
            local at, bt, ct = type(a), type(b), type(c)
            if at == "string" then al = #a elseif at == "number" then a, an = "", a else return output(newline, ...) end
            if bt == "string" then bl = #b elseif bt == "number" then b, bn = "", b else return output(newline, ...) end
            if ct == "string" then cl = #c elseif ct == "number" then c, cn = "", c else return output(newline, ...) end
            if C.hotlua_put3(newline, a, al, an, b, bl, bn, c, cl, cn) == 1 then return 1 end
        end
        return output(newline, ...)
    end
end

ngx.say = writer(1)
ngx.print = writer(0)

local function result(done, err)
    if done then return 1 end
    return nil, err
end

function ngx.flush(...)
    local count = select("#", ...)
    local wait = ...
    if count > 1 then error("attempt to pass " .. count .. " arguments, but accepted 0 or 1", 2) end
    if count == 1 and type(wait) ~= "boolean" then shared.bad_type(1, "boolean", wait) end
    shared.check_phase(OUTPUT)
    local done, err, unsent = prim.flush(wait or false)
    if unsent then
        shared.wait(unsent)
        done, err = prim.flushed(unsent)
    end
    return result(done, err)
end

function ngx.eof(...)
    if select("#", ...) > 0 then error("no argument is expected", 2) end
    shared.check_phase(OUTPUT)
    return result(prim.eof())
end

function ngx.send_headers()
    shared.check_phase(OUTPUT)
    return result(prim.send_headers())
end
