-- Runs a script by the Lua API and tells what came of it, behind what the script itself has said:
--   ok, a kind, or `raised`; the message; what it returned; what is wrong in the host afterwards. Each in base64.
local hotlua = require "hotlua"

local concat, sort, format, byte = table.concat, table.sort, string.format, string.byte
local type, tostring, pcall, select, pairs, debug_metatable = type, tostring, pcall, select, pairs, debug.getmetatable
local encode, print = ngx.encode_base64, ngx.print

local DEEPEST, MOST, LONGEST = 4, 20, 40

local function source_of(name)
    local file = assert(io.open(ngx.var.corpus .. "/" .. name .. ".lua", "rb"))
    local source = file:read("*a")
    file:close()
    return source
end

-- The script in a coroutine that is resumed until it is dead.
local BEFORE = [[
local create, resume, status, error = coroutine.create, coroutine.resume, coroutine.status, error
local co, finish
function finish(ok, ...)
    if not ok then error((...), 0) end
    if status(co) == "dead" then return ... end
    return finish(resume(co))
end
co = create(function(...)
]]
local BEHIND = [[

end)
return finish(resume(co, ...))
]]

local function laughs()
    local t = { "x" }
    for _ = 1, 40 do t = { t, t } end
    return t
end

local function deep()
    local t = {}
    for _ = 1, 20000 do t = { t } end
    return t
end

local function cycle()
    local t = {}
    t.t = t
    return t
end

local function many()
    local t = {}
    for i = 1, 7000 do t[i] = i end
    return unpack(t)
end

local shared = { x = 1, list = { 1, 2 } }

local ARGUMENTS = {
    plain = function() return 1, "x", nil, true, { list = { { a = "b" } } } end,
    shared = function() return shared end,
    metatable = function() return setmetatable({}, { __index = function() return "LEAK" end }) end,
    func = function() return function() return "LEAK" end end,
    coroutine = function() return coroutine.create(function() end) end,
    userdata = function() return ngx.null end,
    globals = function() return _G end,
    deep = deep,
    cycle = cycle,
    laughs = laughs,
    huge = function() return ("x"):rep(16777216) end,
    many = many,
}

-- A value as text, however large or deep it is; raw.
local function show(value, depth)
    local kind = type(value)
    if kind == "number" then
        if value ~= value then return "nan" end
        return format("%.16g", value)
    elseif kind == "string" then
        if #value <= LONGEST then return format("%q", value) end
        return format("%d %02x %02x", #value, byte(value, 1), byte(value, -1))
    elseif kind ~= "table" then
        return tostring(value)
    end
    if depth > DEEPEST then return "{..}" end
    local parts = {}
    for k, v in next, value do
        parts[#parts + 1] = (type(k) == "table" and "{}" or tostring(k)) .. " = " .. show(v, depth + 1)
        if #parts > MOST then break end
    end
    sort(parts)
    return "{" .. concat(parts, ", ") .. "}" .. (debug_metatable(value) and " METATABLE" or "")
end

-- What the host's libraries are: a change of any of them shows.
local LIBRARIES = {
    _G = _G, math = math, string = string, table = table, os = os, io = io, coroutine = coroutine, debug = debug, package = package,
    loaded = package.loaded, bit = bit, ngx = ngx, shared = shared, shared_list = shared.list, strings = debug.getmetatable(""),
}

local function digest()
    local lines = {}
    for name, library in pairs(LIBRARIES) do
        for k, v in next, library do lines[#lines + 1] = name .. "." .. tostring(k) .. "=" .. tostring(v) end
        lines[#lines + 1] = name .. "<metatable>=" .. tostring(debug_metatable(library))
    end
    for _, value in pairs { 1, true, print, coroutine.create(print) } do
        lines[#lines + 1] = type(value) .. "<metatable>=" .. tostring(debug_metatable(value))
    end
    lines[#lines + 1] = "nil<metatable>=" .. tostring(debug_metatable(nil))
    sort(lines)
    return lines
end

-- The first line in which they differ.
local function difference(before, after)
    for i = 1, math.max(#before, #after) do
        if before[i] ~= after[i] then return tostring(before[i]) .. " became " .. tostring(after[i]) end
    end
    return ""
end

local function run(name, profile, way, args)
    local source = source_of(name)
    if way == "inside" then source = BEFORE .. source .. BEHIND end
    local script, err, kind = hotlua.sandbox(profile):load(source, "=" .. name)
    if not script then return nil, err, kind or "error" end
    local make = ARGUMENTS[args]
    if make then return script:run(make()) end
    return script:run()
end

-- The outcome of `run`: kind, message, results.
local function outcome(called, ok, ...)
    if not called then return "raised", tostring(ok), "" end
    if ok == true then
        local shown = {}
        for i = 1, select("#", ...) do
            shown[i] = show((select(i, ...)), 1)
            if i > MOST then break end
        end
        return "ok", "", concat(shown, ", ")
    end
    local err, kind = ...
    if type(err) ~= "string" then return "none", "an error that is a " .. type(err), "" end
    return tostring(kind), err, ""
end

local asked = ngx.req.get_uri_args()
local before = digest()
local way = asked.way
local call = function() return outcome(pcall(run, asked.name, asked.profile, way, asked.args)) end
if way == "thread" then call = coroutine.wrap(call) end
local kind, message, returned = call()
print("\n--host--\n", kind, "\n", encode(message), "\n", encode(returned), "\n", encode(difference(before, digest())), "\n")
