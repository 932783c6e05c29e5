-- ngx.errlog: the captured lines of nginx's error log, and lines without a place.
local prim, ngx, shared = ...

local C = require("ffi").C
local type, error, floor = type, error, math.floor

local errlog = { version = shared.core_version }

local NOT_SET = 'directive "lua_capture_error_log" is not set'

-- So asked, NaN is none.
local function is_level(number)
    return number >= ngx.STDERR and number < ngx.DEBUG + 1
end

-- Takes captured lines out, the oldest first: { level, time, text, level, time, text, ... }. At most `max`, where that
-- is more than 0; into `lines`, where that is given.
function errlog.get_logs(max, lines)
    if max == nil then
        max = 0
    elseif type(max) ~= "number" then
        error("bad argument #1 to 'get_logs' (must be a number)", 2)
    end
    if lines == nil then
        lines = {}
    elseif type(lines) ~= "table" then
        error("bad argument #2 to 'get_logs' (must be a table)", 2)
    end
    if not prim.captures() then return nil, NOT_SET end
    local count, at = 0, 1
    while max <= 0 or count < max do
        local level, time, text = prim.next()
        if not level then break end
        lines[at], lines[at + 1], lines[at + 2] = level, time, text
        count, at = count + 1, at + 3
    end
    -- A table that is used again may hold more from the time before.
    lines[at] = nil
    return lines
end

function errlog.set_filter_level(level)
    if level == nil then return nil, 'missing "level" argument' end
    if type(level) ~= "number" then error("bad argument #1 to 'set_filter_level' (must be a number)", 2) end
    if not prim.captures() then return nil, NOT_SET end
    if not is_level(level) then return nil, "bad log level" end
    prim.set_filter(floor(level))
    return true
end

function errlog.get_sys_filter_level()
    return (prim.level())
end

function errlog.raw_log(level, text)
    if type(level) ~= "number" then error("bad argument #1 to 'raw_log' (must be a number)", 2) end
    if type(text) ~= "string" then error("bad argument #2 to 'raw_log' (must be a string)", 2) end
    if not is_level(level) then error("bad log level", 2) end
    C.hotlua_log(floor(level), text, #text)
end

package.preload["ngx.errlog"] = function() return errlog end
