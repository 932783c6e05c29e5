-- ngx.location.capture, ngx.location.capture_multi
local prim, ngx, shared = ...

local error, floor, pairs, select, type, unpack = error, math.floor, pairs, select, type, unpack
local running, setmetatable = coroutine.running, setmetatable
local OUTPUT = shared.phases.output

-- A level is that of the code which has called ngx.location's function, counted from the function that raises.

local function switch(query, options, name, level)
    local value = options[name]
    if value ~= nil and type(value) ~= "boolean" then error("Bad " .. name .. " option value", level + 1) end
    query[name] = value or false
end

local function arguments(args, level)
    local kind = type(args)
    if kind == "string" or kind == "nil" then return args end
    if kind == "number" then return shared.number(args) end
    if kind ~= "table" then error("Bad args option value", level + 1) end
    local text, wrong = shared.encode_args(args)
    if not text then error(wrong, level + 1) end
    return text
end

local function variables(vars, level)
    if vars == nil then return nil end
    if type(vars) ~= "table" then error("Bad vars option value", level + 1) end
    local set = {}
    for name, value in pairs(vars) do
        if type(name) ~= "string" then
            error('attempt to use a non-string key in the "vars" option table', level + 1)
        end
        local kind = type(value)
        if kind == "number" then
            value = shared.number(value)
        elseif kind ~= "string" then
            error("attempt to use bad variable value type " .. kind, level + 1)
        end
        set[name] = value
    end
    return set
end

-- What the subrequest at `place`, from 0, is to be: a table for prim.start.
local function query_of(place, uri, options, level)
    local kind = type(uri)
    if kind == "number" then
        uri = shared.number(uri)
    elseif kind ~= "string" then
        shared.bad_argument(3, "string expected, got " .. kind, level)
    end
    local query = { uri = uri, method = ngx.HTTP_GET }
    if options == nil then
        query.always_forward_body, query.share_all_vars, query.copy_all_vars = false, false, false
        return query
    end
    if type(options) ~= "table" then
        error("expecting table as the 2nd argument for subrequest " .. place .. ", but got " .. type(options),
            level + 1)
    end
    query.args = arguments(options.args, level + 1)
    query.vars = variables(options.vars, level + 1)
    switch(query, options, "share_all_vars", level + 1)
    switch(query, options, "copy_all_vars", level + 1)
    query.always_forward_body = not not options.always_forward_body
    local context, method, body = options.ctx, options.method, options.body
    if context ~= nil and type(context) ~= "table" then
        error("Bad ctx option value type " .. type(context) .. ", expected a Lua table", level + 1)
    end
    query.ctx = context
    if method ~= nil then
        if type(method) ~= "number" then error("Bad http request method", level + 1) end
        query.method = floor(method)
    end
    if body ~= nil then
        if type(body) == "number" then body = shared.number(body) end
        if type(body) ~= "string" then error("Bad http request body", level + 1) end
        query.body = body
    end
    return query
end

-- The coroutines that wait for subrequests.
local capturing = setmetatable({}, { __mode = "k" })

-- Runs the queries and returns a response for each.
local function capture(queries, level)
    local operation, wrong = prim.start(queries)
    if not operation then error(wrong, level + 1) end
    local co = running()
    if co then capturing[co] = true end
    shared.wait(operation)
    if co then capturing[co] = nil end
    local responses, count = {}, #queries
    for i = 1, count do responses[i] = prim.response(operation, i) end
    return unpack(responses, 1, count)
end

ngx.location = ngx.location or {}
local location = ngx.location

function location.capture(...)
    local count = select("#", ...)
    local uri, options = ...
    if count ~= 1 and count ~= 2 then error("expecting one or two arguments", 2) end
    shared.check_phase(OUTPUT)
    if uri == nil then error("query argument 0 expecting one or two arguments", 2) end
    local response = capture({ query_of(0, uri, options, 2) }, 2)
    return response
end

local function is_array(table)
    local length = 0
    for key in pairs(table) do
        if type(key) ~= "number" or key < 1 or key ~= floor(key) then return false end
        length = length + 1
    end
    for i = 1, length do
        if table[i] == nil then return false end
    end
    return true, length
end

function location.capture_multi(...)
    local given = select("#", ...)
    local list = ...
    if given ~= 1 then error("only one argument is expected, but got " .. given, 2) end
    if type(list) ~= "table" then shared.bad_type(1, "table", list) end
    shared.check_phase(OUTPUT)
    local array, count = is_array(list)
    if not array then error("only array-like tables are allowed", 2) end
    if count == 0 then error("at least one subrequest should be specified", 2) end
    local queries = {}
    for i = 1, count do
        local one = list[i]
        if type(one) ~= "table" then
            error("the query argument " .. i - 1 .. " is not a table, but a " .. type(one), 2)
        end
        if #one ~= 1 and #one ~= 2 then error("query argument " .. i - 1 .. " expecting one or two arguments", 2) end
        queries[i] = query_of(i - 1, one[1], one[2], 2)
    end
    return capture(queries, 2)
end

-- Says whether a coroutine waits for subrequests.
function shared.is_capturing(co)
    return capturing[co] ~= nil
end

-- Raises where the request has subrequests that have not ended: its Lua cannot be left before.
function shared.check_pending(level)
    if prim.pending() > 0 then error("attempt to abort with pending subrequests", (level or 1) + 2) end
end
