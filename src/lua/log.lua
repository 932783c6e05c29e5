-- ngx.log, print, and the log levels.
local prim, ngx, shared = ...

local C = require("ffi").C
local type, select, error, getmetatable = type, select, error, getmetatable
local getinfo, concat = debug.getinfo, table.concat
local null = shared.null

require("ffi").cdef [[
int hotlua_log_enabled(int level);
void hotlua_log(int level, const char *text, size_t length);
]]

for number, name in ipairs { "EMERG", "ALERT", "CRIT", "ERR", "WARN", "NOTICE", "INFO", "DEBUG" } do
    ngx[name] = number
end
ngx.STDERR = 0

-- The text of one argument; or nil and what is wrong with it.
local function text_of(value)
    local kind = type(value)
    if kind == "string" then return value end
    if kind == "number" then return shared.number(value) end
    if kind == "nil" then return "nil" end
    if kind == "boolean" then return value and "true" or "false" end
    if kind == "table" then
        local meta = getmetatable(value)
        local to_text = type(meta) == "table" and meta.__tostring
        if not to_text then return nil, "expected table to have __tostring metamethod" end
        local text = to_text(value)
        return type(text) == "number" and shared.number(text) or type(text) == "string" and text or ""
    end
    if kind == "userdata" and value == null then return "null" end
    return nil, "string, number, boolean, or nil expected, got " .. kind
end

-- Writes a line of the arguments, with the place of the function at `level` above the one that calls this.
local function write(severity, ...)
    local parts = {}
    for i = 1, select("#", ...) do
        local text, wrong = text_of((select(i, ...)))
        if not text then shared.bad_argument(i, wrong, 2) end
        parts[i] = text
    end
    local at = getinfo(3, "Snl")
    local file = at.short_src:match "[^/]*$"
    local name = at.what ~= "C" and at.name and at.name .. "(): " or ""
    local line = "[lua] " .. file .. ":" .. at.currentline .. ": " .. name .. concat(parts)
    C.hotlua_log(severity, line, #line)
end

function ngx.log(...)
    local severity = ...
    if type(severity) ~= "number" then severity = shared.integer(1, severity, select("#", ...)) end
    local enabled = C.hotlua_log_enabled(severity)
    if enabled == 0 then return end
    if enabled < 0 then shared.bad_argument(1, "bad log level: " .. shared.integer(1, severity)) end
    write(severity, select(2, ...))
end

function print(...)
    if C.hotlua_log_enabled(ngx.NOTICE) ~= 1 then return end
    write(ngx.NOTICE, ...)
end

-- Says whether a line of a level would be written.
function shared.logs(severity)
    return C.hotlua_log_enabled(severity) == 1
end

-- A line of the module's own, without a place.
function shared.log(severity, text)
    C.hotlua_log(severity, text, #text)
end
