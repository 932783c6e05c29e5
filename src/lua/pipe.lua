-- ngx.pipe
local prim, ngx, shared = ...

local error, getmetatable, ipairs, pcall, setmetatable, tonumber, tostring, type =
    error, getmetatable, ipairs, pcall, setmetatable, tonumber, tostring, type
local concat, find, floor = table.concat, string.find, math.floor
local WAIT = shared.phases.wait

local DEFAULT_BUFFER_SIZE = 4096
-- In milliseconds; 0 is for ever.
local DEFAULT_TIMEOUT = 10000
local LONGEST_TIMEOUT = 2 ^ 32 - 1
local LARGEST_SIZE = 2 ^ 53

-- As in pipe.rs.
local STDIN, STDOUT, STDERR = 0, 1, 2
local DIRECTIONS = { stdin = STDIN, stdout = STDOUT, stderr = STDERR }
local ALL, LINE, BYTES, ANY = 0, 1, 2, 3

local TIMEOUTS = { "write_timeout", "stdout_read_timeout", "stderr_read_timeout", "wait_timeout" }

-- A process: its handle stands at 1.
local methods = {}
local process = { __index = methods }

local function handle_of(proc)
    if type(proc) ~= "table" or getmetatable(proc) ~= process then error("not a process instance", 3) end
    return proc[1]
end

-- A timeout without its fraction; nil where there is none.
local function timeout_of(name, value, level)
    if value == nil then return nil end
    if type(value) ~= "number" or not (value >= 0 and value <= LONGEST_TIMEOUT) then
        error("bad " .. name .. " option", level + 1)
    end
    return floor(value)
end

-- The program and its arguments: those of a shell where there is one string.
local function arguments_of(args, level)
    if type(args) == "string" then return { "/bin/sh", "-c", args } end
    if type(args) ~= "table" then error("bad args arg: table expected, got " .. type(args), level + 1) end
    local list = {}
    for i, argument in ipairs(args) do
        argument = tostring(argument)
        list[i] = type(argument) == "string" and argument or ""
    end
    if #list == 0 then error("bad args arg: non-empty table expected", level + 1) end
    return list
end

local function environ_of(environ, level)
    if environ == nil then return nil end
    if type(environ) ~= "table" then
        error("bad environ option: table expected, got " .. type(environ), level + 1)
    end
    local list = {}
    for i, variable in ipairs(environ) do
        local place = "bad value at index " .. i .. " of environ option: "
        if type(variable) ~= "string" then error(place .. "string expected, got " .. type(variable), level + 1) end
        if not find(variable, "=", 2, true) or find(variable, "^=") then
            error(place .. "'name=[value]' format expected, got '" .. variable .. "'", level + 1)
        end
        list[i] = variable
    end
    return list
end

local function spawn(args, opts)
    if opts ~= nil and type(opts) ~= "table" then error("bad opts arg: table expected, got " .. type(opts), 2) end
    local list = arguments_of(args, 2)
    opts = opts or {}
    local buffer_size = DEFAULT_BUFFER_SIZE
    if opts.buffer_size ~= nil then
        buffer_size = tonumber(opts.buffer_size)
        if not buffer_size or not (buffer_size >= 1) then error("bad buffer_size option", 2) end
        buffer_size = buffer_size < LARGEST_SIZE and floor(buffer_size) or LARGEST_SIZE
    end
    local environ = environ_of(opts.environ, 2)
    local timeouts = {}
    for i, name in ipairs(TIMEOUTS) do timeouts[i] = timeout_of(name, opts[name], 2) or DEFAULT_TIMEOUT end
    local handle, wrong = prim.spawn(list, environ, not not opts.merge_stderr, buffer_size, timeouts)
    if handle then return setmetatable({ handle }, process) end
    if wrong == "API disabled in the current context" then error(wrong, 2) end
    return nil, wrong
end

function methods.set_timeouts(proc, ...)
    local handle = handle_of(proc)
    local write, stdout, stderr, wait = ...
    prim.set_timeouts(handle, timeout_of(TIMEOUTS[1], write, 2), timeout_of(TIMEOUTS[2], stdout, 2),
        timeout_of(TIMEOUTS[3], stderr, 2), timeout_of(TIMEOUTS[4], wait, 2))
end

function methods.pid(proc)
    return prim.pid(handle_of(proc))
end

function methods.kill(proc, signal)
    local handle = handle_of(proc)
    if type(signal) ~= "number" then error("bad signal arg: number expected, got " .. tostring(signal), 2) end
    -- What is out of every range is no signal either.
    return prim.kill(handle, signal >= 0 and signal < 2 ^ 31 and floor(signal) or -1)
end

function methods.shutdown(proc, direction)
    local handle = handle_of(proc)
    local number = DIRECTIONS[direction]
    if not number then error("bad shutdown arg: " .. tostring(direction), 2) end
    return prim.shutdown(handle, number)
end

function methods.wait(proc)
    local handle = handle_of(proc)
    shared.check_phase(WAIT)
    local operation, ok, reason, status = prim.wait(handle)
    if operation then
        shared.wait(operation)
        operation, ok, reason, status = prim.wait_on(handle)
    end
    return ok, reason, status
end

function methods.write(proc, data)
    local handle = handle_of(proc)
    shared.check_phase(WAIT)
    if type(data) == "table" then
        local parts = {}
        for i, part in ipairs(data) do parts[i] = part end
        local joined, text = pcall(concat, parts)
        if not joined then error(text, 2) end
        data = text
    elseif type(data) == "number" then
        data = shared.number(data)
    elseif type(data) ~= "string" then
        error("bad data arg: string, number, or table expected, got " .. type(data), 2)
    end
    local operation, bytes, wrong = prim.write(handle, data)
    while operation do
        shared.wait(operation)
        operation, bytes, wrong = prim.write_on(handle)
    end
    return bytes, wrong
end

-- Called by the methods only, so that levels count from there.
local function read(handle, direction, kind, size)
    shared.check_phase(WAIT, 2)
    local operation, data, wrong, partial = prim.read(handle, direction, kind, size)
    while operation do
        shared.wait(operation)
        operation, data, wrong, partial = prim.read_on(handle, direction)
    end
    return data, wrong, partial
end

for name, direction in next, { stdout = STDOUT, stderr = STDERR } do
    methods[name .. "_read_all"] = function(proc)
        local data, wrong, partial = read(handle_of(proc), direction, ALL, 0)
        return data, wrong, partial
    end

    methods[name .. "_read_line"] = function(proc)
        local data, wrong, partial = read(handle_of(proc), direction, LINE, 0)
        return data, wrong, partial
    end

    methods[name .. "_read_bytes"] = function(proc, size)
        local handle = handle_of(proc)
        if type(size) ~= "number" or not (size >= 0) then error("bad len argument", 2) end
        size = size < LARGEST_SIZE and floor(size) or LARGEST_SIZE
        if size == 0 then return "" end
        local data, wrong, partial = read(handle, direction, BYTES, size)
        return data, wrong, partial
    end

    methods[name .. "_read_any"] = function(proc, most)
        local handle = handle_of(proc)
        most = tonumber(most)
        if not most or not (most >= 1) then error("bad max argument", 2) end
        local data, wrong, partial = read(handle, direction, ANY, most < LARGEST_SIZE and floor(most) or LARGEST_SIZE)
        return data, wrong, partial
    end
end

package.preload["ngx.pipe"] = function()
    return { version = shared.core_version, spawn = spawn }
end
