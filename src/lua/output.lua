-- ngx.say, ngx.print, ngx.flush, ngx.eof, ngx.send_headers.
local prim, ngx, shared = ...

local select, type, pairs, error = select, type, pairs, error
local floor, concat = math.floor, table.concat
local null = shared.null
local OUTPUT = shared.phases.output

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

local put = prim.put

function ngx.say(...)
    if put(true, ...) then return 1 end
    return output(1, ...)
end

function ngx.print(...)
    if put(false, ...) then return 1 end
    return output(0, ...)
end

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
