-- ngx.re.match, find, gmatch, sub, gsub.
--
-- A level counts as in error(): 1 is the function that calls the one here, which must not be a tail call.
local prim, ngx, shared = ...

local ffi = require "ffi"
local new_table = require "table.new"
local C, gc, string = ffi.C, ffi.gc, ffi.string
local type, tostring, error, setmetatable, pairs = type, tostring, error, setmetatable, pairs
local sub, byte, gmatch, format, floor, concat = ("").sub, ("").byte, ("").gmatch, ("").format, math.floor, table.concat

ffi.cdef [[
typedef struct { const int32_t *spans; int32_t groups; int32_t names; int32_t jit; } hotlua_regex;
typedef struct { const char *data; size_t length; int32_t group; } hotlua_regex_text;
typedef struct hotlua_regex_shared hotlua_regex_shared;
hotlua_regex_shared *hotlua_regex_scratch(void);
void hotlua_regex_scratch_free(hotlua_regex_shared *scratch);
hotlua_regex *hotlua_regex_compile(const hotlua_regex_shared *scratch, const char *pattern, size_t length,
    uint32_t flags, uint32_t match_limit, hotlua_regex_text *error);
void hotlua_regex_free(hotlua_regex *regex);
void hotlua_regex_name(const hotlua_regex *regex, uint32_t index, hotlua_regex_text *name);
int hotlua_regex_exec(const hotlua_regex *regex, const char *subject, size_t length, size_t start, bool checked);
int hotlua_regex_replace(const hotlua_regex *regex, const char *subject, size_t length, const char *template,
    size_t template_length, bool all, hotlua_regex_text *result);
void hotlua_regex_forget(const hotlua_regex_shared *scratch);
]]

local text = ffi.new "hotlua_regex_text"
-- What all matches of this VM share.
local scratch = gc(C.hotlua_regex_scratch(), C.hotlua_regex_scratch_free)

-- The flags of a kind of patterns: bits for C, and what matters to Lua.
local BITS = {
    d = 0x01, j = 0x02, a = 0x04, D = 0x08, i = 0x10, J = 0x20, m = 0x40, s = 0x80, u = 0x100, U = 0x200, x = 0x400,
    o = 0,
}
-- Options longer than any sensible ones are read each time, so that their spellings do not pile up.
local LONGEST = 16

-- How many patterns are kept; more are compiled each time.
local DEFAULT_ENTRIES = 1024

-- What hotlua_regex_replace answers for a template that cannot be used.
local BAD_TEMPLATE = -1000
-- Results beyond this length, in bytes, do not stay in memory.
local LONG_RESULT = 64 * 1024

-- Kinds by their options, as these were written, and by what they mean.
local spelled, kinds = {}, {}
-- How many patterns all kinds know, and the modules of the generation that they were compiled in, which they must not
-- hold.
local kept, era = 0, setmetatable({}, { __mode = "v" })
local warned = false

-- What makes a kind: bits for C, whether its patterns are kept, and those that are (`known`).
local function kind_of(opts, level)
    if type(opts) ~= "string" then
        error("attempt to get length of local 'opts' (a " .. type(opts) .. " value)", level + 1)
    end
    local set, bits = {}, 0
    for flag in gmatch(opts, ".") do
        local bit = BITS[flag]
        if not bit then error(format('unknown flag "%s" (flags "%s")', flag, opts), level + 1) end
        if not set[flag] then
            set[flag] = true
            bits = bits + bit
        end
    end
    local once = set.o or false
    local key = once and -1 - bits or bits
    local kind = kinds[key]
    if not kind then
        kind = {
            bits = bits,
            once = once,
            lists = set.D or false,
            utf = (set.u or set.U) or false,
            known = {},
        }
        kinds[key] = kind
    end
    if #opts <= LONGEST then spelled[opts] = kind end
    return kind
end
local plain = kind_of("", 1)

-- Whether there is room for one more pattern. Those of an earlier generation make room for those of the running one.
local function has_room()
    local most = shared.regex_cache_max_entries or DEFAULT_ENTRIES
    if most == 0 or kept < most then
        if kept == 0 then era.loaded = shared.loaded end
        return true
    end
    if era.loaded ~= shared.loaded then
        for _, kind in pairs(kinds) do kind.known = {} end
        kept, era.loaded = 0, shared.loaded
        return true
    end
    if not warned then
        warned = true
        shared.log(ngx.WARN, "lua exceeding regex cache max entries (" .. most .. ")")
    end
    return false
end

-- The names of a pattern, sorted, and the groups that have them.
local function add_names(regex)
    local names, groups = {}, {}
    for i = 1, regex.named do
        C.hotlua_regex_name(regex.handle, i - 1, text)
        names[i], groups[i] = string(text.data, text.length), text.group
    end
    regex.names, regex.groups_of_names = names, groups
end

-- A compiled pattern; or nil and why not.
local function compile(pattern, kind, level)
    if type(pattern) ~= "string" then
        error("attempt to get length of local 'regex' (a " .. type(pattern) .. " value)", level + 1)
    end
    local handle = C.hotlua_regex_compile(scratch, pattern, #pattern, kind.bits, shared.regex_match_limit or 0, text)
    if handle == nil then return nil, string(text.data, text.length) end
    gc(handle, C.hotlua_regex_free)
    if handle.jit >= 0 then shared.log(ngx.DEBUG, "pcre JIT compiling result: " .. handle.jit) end
    local regex = {
        handle = handle,
        spans = handle.spans,
        groups = handle.groups,
        named = handle.names,
        names = false,
        groups_of_names = false,
        lists = kind.lists,
        utf = kind.utf,
        kept = kind.once and has_room(),
    }
    if regex.named > 0 then add_names(regex) end
    if regex.kept then
        kind.known[pattern] = regex
        kept = kept + 1
    end
    return regex
end

-- Frees a pattern that is not kept, which the collector would do late: it knows nothing of PCRE's memory.
local function release(regex)
    if regex.kept then return end
    local handle = regex.handle
    regex.handle = nil
    gc(handle, nil)
    C.hotlua_regex_free(handle)
end

-- The compiled pattern of a call, kept or new; or nil and why not.
local function find_regex(pattern, opts, level)
    local kind = opts == nil and plain or spelled[opts] or kind_of(opts, level + 1)
    local regex = kind.known[pattern]
    if regex then return regex end
    local err
    regex, err = compile(pattern, kind, level + 1)
    return regex, err
end

-- The offset that the table of a call sets. C refuses one beyond the subject.
local BEYOND = 2 ^ 31

local function start_of(ctx, level)
    if type(ctx) ~= "table" then
        error("attempt to index local 'ctx' (a " .. type(ctx) .. " value)", level + 1)
    end
    local pos = ctx.pos
    if not pos then return 0 end
    if type(pos) ~= "number" then error("attempt to compare " .. type(pos) .. " with number", level + 1) end
    if pos <= 1 then return 0 end
    if pos < BEYOND then return floor(pos) - 1 end
    return BEYOND
end

local function failed(rc)
    return "pcre_exec() failed: " .. rc
end

-- The names' part of a table of captures.
local function name_captures(regex, captures)
    local names, groups = regex.names, regex.groups_of_names
    local before, list
    for i = 1, #names do
        local name, value = names[i], captures[groups[i]]
        if regex.lists then
            -- The groups of one name are neighbours.
            if name ~= before then list = nil end
            if value then
                if list then
                    list[#list + 1] = value
                else
                    list = { value }
                    captures[name] = list
                end
            end
        elseif value or name ~= before then
            captures[name] = value
        end
        before = name
    end
end

-- The captures of the last match of `regex`; unmatched groups are false. The first groups are read without a loop:
-- LuaJIT compiles no function that begins with one.
local function captures_of(regex, subject, into)
    local spans, groups = regex.spans, regex.groups
    local captures = into or new_table(groups, regex.named)
    captures[0] = sub(subject, spans[0] + 1, spans[1])
    if groups > 0 then captures[1] = spans[2] >= 0 and sub(subject, spans[2] + 1, spans[3]) end
    if groups > 1 then captures[2] = spans[4] >= 0 and sub(subject, spans[4] + 1, spans[5]) end
    if groups > 2 then captures[3] = spans[6] >= 0 and sub(subject, spans[6] + 1, spans[7]) end
    if groups > 3 then
        for i = 4, groups do
            captures[i] = spans[2 * i] >= 0 and sub(subject, spans[2 * i] + 1, spans[2 * i + 1])
        end
    end
    if regex.named > 0 then name_captures(regex, captures) end
    return captures
end

local re = {}
ngx.re = re

function re.match(subject, pattern, opts, ctx, into)
    if type(subject) ~= "string" then subject = tostring(subject) end
    local start = 0
    if ctx then start = start_of(ctx, 2) end
    if into and type(into) ~= "table" then
        error("attempt to index local 'res' (a " .. type(into) .. " value)", 2)
    end
    local regex, err = find_regex(pattern, opts, 2)
    if not regex then return nil, err end
    local rc = C.hotlua_regex_exec(regex.handle, subject, #subject, start, false)
    local captures
    if rc > 0 then
        captures = captures_of(regex, subject, into)
        if ctx then ctx.pos = regex.spans[1] + 1 end
    elseif rc < 0 then
        err = failed(rc)
    end
    if not regex.kept then release(regex) end
    if err then return nil, err end
    return captures
end

-- The first and last position of the group `nth` in the last match; or nil, nil and why not.
local function position(regex, nth)
    if nth > regex.groups then return nil, nil, "nth out of bound" end
    local start = regex.spans[2 * nth]
    if start < 0 then return nil, nil end
    return start + 1, regex.spans[2 * nth + 1]
end

function re.find(subject, pattern, opts, ctx, nth)
    if type(subject) ~= "string" then subject = tostring(subject) end
    local start = 0
    if ctx then start = start_of(ctx, 2) end
    if not nth then
        nth = 0
    elseif type(nth) ~= "number" then
        error("attempt to compare " .. type(nth) .. " with number", 2)
    else
        nth = nth > 0 and floor(nth) or 0
    end
    local regex, err = find_regex(pattern, opts, 2)
    if not regex then return nil, nil, err end
    local rc = C.hotlua_regex_exec(regex.handle, subject, #subject, start, false)
    local from, to
    if rc > 0 then
        if ctx then ctx.pos = regex.spans[1] + 1 end
        from, to, err = position(regex, nth)
    elseif rc < 0 then
        err = failed(rc)
    end
    if not regex.kept then release(regex) end
    if err then return nil, nil, err end
    if rc == 0 then return nil end
    return from, to
end

-- The offset behind the character at the offset `at`.
local function after(regex, subject, at)
    at = at + 1
    if regex.utf then
        local next_byte = byte(subject, at + 1)
        while next_byte and next_byte >= 0x80 and next_byte < 0xc0 do
            at = at + 1
            next_byte = byte(subject, at + 1)
        end
    end
    return at
end

-- What ngx.re.gmatch returns: a callable table, because LuaJIT compiles no code that makes a closure.
local iterator = {}

function iterator.__call(self)
    local regex, subject, at = self.regex, self.subject, self.at
    if not regex then return nil end
    local rc = C.hotlua_regex_exec(regex.handle, subject, #subject, at, self.checked)
    if rc > 0 then
        local captures = captures_of(regex, subject)
        local from, to = regex.spans[0], regex.spans[1]
        self.checked = true
        if from == to then to = after(regex, subject, to) end
        self.at = to
        if to > #subject then
            self.regex = nil
            release(regex)
        end
        return captures
    end
    self.regex = nil
    release(regex)
    if rc < 0 then return nil, failed(rc) end
    return nil
end

function re.gmatch(subject, pattern, opts, ctx)
    if type(subject) ~= "string" then subject = tostring(subject) end
    local start = 0
    if ctx then start = start_of(ctx, 2) end
    local regex, err = find_regex(pattern, opts, 2)
    if not regex then return nil, err end
    return setmetatable({ regex = regex, subject = subject, at = start, checked = false }, iterator)
end

-- Replaces by a function: the text and how often; or nil, nil and why not.
local function replace_by_function(regex, subject, replace, all)
    local pieces, filled, count, at, copied, length = {}, 0, 0, 0, 0, #subject
    while at <= length do
        local rc = C.hotlua_regex_exec(regex.handle, subject, length, at, count > 0)
        if rc < 0 then return nil, nil, failed(rc) end
        if rc == 0 then break end
        local from, to = regex.spans[0], regex.spans[1]
        -- The function may match by the same pattern: after it the offsets may be those of another match.
        local replacement = replace(captures_of(regex, subject))
        if type(replacement) ~= "string" then replacement = tostring(replacement) end
        pieces[filled + 1], pieces[filled + 2] = sub(subject, copied + 1, from), replacement
        filled, count, copied = filled + 2, count + 1, to
        if not all then break end
        at = to > from and to or after(regex, subject, to)
    end
    if count == 0 then return subject, 0 end
    pieces[filled + 1] = sub(subject, copied + 1)
    return concat(pieces), count
end

-- Replaces by a template: the text and how often; or nil, nil and why not.
local function replace_by_template(regex, subject, template, all)
    local count = C.hotlua_regex_replace(regex.handle, subject, #subject, template, #template, all, text)
    if count > 0 then
        local result = string(text.data, text.length)
        if #result > LONG_RESULT then C.hotlua_regex_forget(scratch) end
        return result, count
    end
    if count == 0 then return subject, 0 end
    if count ~= BAD_TEMPLATE then return nil, nil, failed(count) end
    shared.log(ngx.ERR, string(text.data, text.length))
    return nil, nil, "failed to compile the replacement template"
end

local function replace(subject, pattern, replacement, opts, all, level)
    if type(subject) ~= "string" then subject = tostring(subject) end
    local regex, err = find_regex(pattern, opts, level + 1)
    if not regex then return nil, nil, err end
    local result, count
    if type(replacement) == "function" then
        result, count, err = replace_by_function(regex, subject, replacement, all)
    else
        if type(replacement) ~= "string" then replacement = tostring(replacement) end
        result, count, err = replace_by_template(regex, subject, replacement, all)
    end
    if not regex.kept then release(regex) end
    if err then return nil, nil, err end
    return result, count
end

function re.sub(subject, pattern, replacement, opts)
    local result, count, err = replace(subject, pattern, replacement, opts, false, 2)
    if err then return nil, nil, err end
    return result, count
end

function re.gsub(subject, pattern, replacement, opts)
    local result, count, err = replace(subject, pattern, replacement, opts, true, 2)
    if err then return nil, nil, err end
    return result, count
end

-- For the module ngx.re.
shared.regex = {
    scratch = scratch,
    find = find_regex,
    release = release,
    start_of = start_of,
    failed = failed,
    after = after,
    kept = function() return kept end,
}
