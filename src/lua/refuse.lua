-- How the Lua halves refuse a call, with the texts and positions that upstream's C functions give.
--
-- A level counts as in error(): 1 is the function that calls the one here. It must not be a tail call, which would
-- leave that function out of the count.
local prim, ngx, shared = ...

local ffi = require "ffi"
local C, error, type, tostring, getinfo, floor = ffi.C, error, type, tostring, debug.getinfo, math.floor
local string, format = ffi.string, string.format

ffi.cdef [[
int hotlua_number(double number, char *into);
int hotlua_allowed(uint32_t phases);
]]

-- Sets of phases.
shared.phases = prim.phases
local REQUEST = prim.phases.request

-- Why the running phase does not allow a call.
local function refusal()
    local phase = shared.phase()
    local context = prim.contexts[phase]
    -- While the configuration is loaded there is nothing that a call could be of.
    if not context or phase == prim.phases.init then return shared.NO_REQUEST end
    return "API disabled in the context of " .. context
end
shared.refusal, shared.NO_REQUEST = refusal, "no request found"

-- Raises where no request runs this Lua, or its phase is not one of `phases`.
function shared.check_phase(phases, level)
    local allowed = C.hotlua_allowed(phases)
    if allowed == 1 then return end
    -- Upstream tells by the phase what belongs to the response, and by the lack of a client what belongs to a request.
    if allowed == 0 and phases == REQUEST and shared.is_fake() then
        error("API disabled in the current context", (level or 1) + 2)
    end
    error(refusal(), (level or 1) + 2)
end

-- Says whether a request runs this Lua in one of `phases`.
function shared.in_phase(phases)
    return C.hotlua_allowed(phases) == 1
end

-- Raises for the argument at `position` of the function at `level`. A method's object does not count.
function shared.bad_argument(position, text, level)
    level = (level or 1) + 1
    local info = getinfo(level, "n")
    local name = info.name or "?"
    if info.namewhat == "method" then position = position - 1 end
    error(format("bad argument #%d to '%s' (%s)", position, name, text), level + 1)
end

-- Raises for an argument of a wrong type. `count` is how many arguments there were.
function shared.bad_type(position, expected, value, count, level)
    local got = position > (count or position) and "no value" or type(value)
    shared.bad_argument(position, expected .. " expected, got " .. got, (level or 1) + 1)
end

-- What luaL_checkinteger does: a number, or a string that is one, without its fraction.
function shared.integer(position, value, count, level)
    local number = type(value) == "number" and value or type(value) == "string" and tonumber(value)
    if not number then shared.bad_type(position, "number", value, count, (level or 1) + 1) end
    return number < 0 and -floor(-number) or floor(number)
end

-- What luaL_checkstring does: a string, or the text of a number.
function shared.text(position, value, count, level)
    if type(value) == "string" then return value end
    if type(value) ~= "number" then shared.bad_type(position, "string", value, count, (level or 1) + 1) end
    return tostring(value)
end

-- Raises for a function that was called in a phase that does not allow it.
function shared.disabled(level)
    error(refusal(), (level or 1) + 1)
end

local digits = ffi.new "char[32]"

-- The text of a number.
function shared.number(number)
    return string(digits, C.hotlua_number(number, digits))
end
