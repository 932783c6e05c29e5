-- require "ngx.re": split, opt.
local prim, ngx, shared = ...

local C = require("ffi").C
local type, tostring, error = type, tostring, error
local sub, gsub, format = ("").sub, ("").gsub, ("").format

require("ffi").cdef [[
bool hotlua_regex_jit_stack(const hotlua_regex_shared *scratch, double size);
]]

local regexes = shared.regex
local find_regex, release, start_of, after, failed =
    regexes.find, regexes.release, regexes.start_of, regexes.after, regexes.failed

local re = { version = "0.1.25" }

-- Puts the groups that the last match has captured behind the `count` pieces; returns how many there are then.
local function add_groups(regex, subject, pieces, count)
    local spans = regex.spans
    for i = 1, regex.groups do
        local from = spans[2 * i]
        if from >= 0 then
            count = count + 1
            pieces[count] = sub(subject, from + 1, spans[2 * i + 1])
        end
    end
    return count
end

-- Takes `subject` apart from the offset `start` on: how many pieces there are; or nil and why not.
local function split_into(pieces, regex, subject, start, max, ctx)
    local length, spans = #subject, regex.spans
    local count, splits, piece, at = 0, 0, start, start
    while (max <= 0 or splits < max - 1) and at < length do
        local rc = C.hotlua_regex_exec(regex.handle, subject, length, at, at > start)
        if rc < 0 then return nil, failed(rc) end
        if rc == 0 then break end
        local from, to = spans[0], spans[1]
        if ctx then ctx.pos = to + 1 end
        if to > from then
            at = to
        elseif from < length and from > piece then
            at = after(regex, subject, from)
        else
            -- Nothing is split by an empty match at the beginning of a piece, or at the end of all.
            at, from = after(regex, subject, to), nil
        end
        if from then
            count, splits = count + 1, splits + 1
            pieces[count] = sub(subject, piece + 1, from)
            count = add_groups(regex, subject, pieces, count)
            piece = to
        end
    end
    count = count + 1
    pieces[count] = sub(subject, piece + 1)
    -- Without a limit empty pieces at the end are dropped.
    if max <= 0 then
        while count > 0 and pieces[count] == "" do
            pieces[count] = nil
            count = count - 1
        end
    end
    return count
end

function re.split(subject, pattern, opts, ctx, max, pieces)
    if type(subject) ~= "string" then subject = tostring(subject) end
    local start = 0
    if ctx then start = start_of(ctx, 2) end
    max = max or 0
    if type(max) ~= "number" then error("attempt to compare number with " .. type(max), 2) end
    if pieces == nil then
        pieces = {}
    elseif type(pieces) ~= "table" then
        error("res is not a table", 2)
    end
    local regex, err = find_regex(pattern, opts, 2)
    if not regex then return nil, err end
    local count = 0
    if start < #subject then count, err = split_into(pieces, regex, subject, start, max, ctx) end
    if not regex.kept then release(regex) end
    if not count then return nil, err end
    -- What a reused table holds behind the pieces is not one of them.
    pieces[count + 1] = nil
    return pieces
end

function re.opt(name, value)
    if name ~= "jit_stack_size" then error("unrecognized option name", 2) end
    if regexes.kept() > 0 then
        error("changing jit stack size is not allowed when some regexs have already been compiled and cached", 2)
    end
    if type(value) ~= "number" then
        error(format("bad argument #2 to 'opt' (number expected, got %s)", value == nil and "no value" or type(value)), 2)
    end
    if not C.hotlua_regex_jit_stack(regexes.scratch, value) then error("no memory", 2) end
end

package.preload["ngx.re"] = function() return re end
