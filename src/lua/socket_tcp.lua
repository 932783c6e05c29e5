-- ngx.socket.tcp, stream and connect: TCP and UNIX stream cosockets.
local prim, ngx, shared = ...

local error, floor, pairs, select, setmetatable, tonumber, tostring, type =
    error, math.floor, pairs, select, setmetatable, tonumber, tostring, type
local concat, find = table.concat, string.find
local WAIT = shared.phases.wait
local LINE, ALL, OPTIONS = prim.LINE, prim.ALL, prim.options
local ffi = require "ffi"
local C, ffi_string = ffi.C, ffi.string
local LONGEST = 2 ^ 31 - 1

ffi.cdef [[
double hotlua_socket_send(uint32_t socket, const char *data, size_t length);
double hotlua_socket_sent(uint32_t socket);
double hotlua_socket_receive(uint32_t socket, double what);
double hotlua_socket_received(uint32_t socket);
const char *hotlua_socket_text(void);
void hotlua_socket_set_timeouts(uint32_t socket, double connect, double send, double receive);
double hotlua_socket_reused(uint32_t socket);
]]
local quick_send, quick_sent = C.hotlua_socket_send, C.hotlua_socket_sent
local quick_receive, quick_received, quick_text = C.hotlua_socket_receive, C.hotlua_socket_received, C.hotlua_socket_text
local quick_set_timeouts, quick_reused = C.hotlua_socket_set_timeouts, C.hotlua_socket_reused
-- What these answer instead of a length.
local WAITS = -2

-- A cosocket is a table whose first element is its Rust half; one without is as one that was never connected. The second
-- is the number of that half for the hot calls.
local tcp = {}
tcp.__index = tcp

local function object(self, count)
    if type(self) ~= "table" then shared.bad_type(1, "table", self, count, 2) end
    return self[1] or (prim.new())
end

-- The Rust half, which is made where there is none.
local function made(self)
    local socket = self[1]
    if not socket then
        local number
        socket, number = prim.new()
        self[1], self[2] = socket, number
    end
    return socket
end

-- What a call has come to, which `go_on` continues each time that it has waited.
local function come(go_on, socket, result, err, partial)
    while result == false do
        shared.wait(err)
        result, err, partial = go_on(socket)
    end
    return result, err, partial
end

-- The same for a method: what is raised is raised for who has called it.
local function finish(go_on, socket, ...)
    local result, err, partial = come(go_on, socket, ...)
    if result == nil and err == "bad request" then error(err, 3) end
    return result, err, partial
end

-- Whole numbers without their fraction; strings that are numbers are numbers.
local function whole(value)
    local number = (type(value) == "number" or type(value) == "string") and tonumber(value)
    return number and (number < 0 and -floor(-number) or floor(number))
end

local function check_number_option(options, name, least, is_typed, level)
    local value = options[name]
    if value == nil then return end
    local number = tonumber(value)
    if not number then
        if is_typed then shared.bad_argument(4, 'bad "' .. name .. '" option type: ' .. type(value), level) end
    elseif number < least then
        shared.bad_argument(4, 'bad "' .. name .. '" option value: ' .. whole(number), level)
    end
end

-- A whole number that is not too large to count with.
local function bounded(value)
    local number = whole(value)
    if number and not (number <= LONGEST) then return LONGEST end
    return number or nil
end

-- The name, size and backlog of the pool that options of `connect` want. Raises for options that are none.
local function pool_of(options, level)
    check_number_option(options, "pool_size", 1, true, level + 1)
    check_number_option(options, "backlog", 0, false, level + 1)
    local kind = type(options.pool)
    if kind ~= "nil" and kind ~= "string" and kind ~= "number" then
        shared.bad_argument(4, 'bad "pool" option type: ' .. kind, level)
    end
    local name = options.pool
    return name and tostring(name), bounded(options.pool_size), bounded(options.backlog)
end

-- `level` is that of who has called the method.
local function connect(level, ...)
    local count = select("#", ...)
    local self, host, port, options = ...
    if count < 2 or count > 4 then
        error("ngx.socket connect: expecting 2, 3, or 4 arguments (including the object), but seen " .. count, level)
    end
    if type(self) ~= "table" then shared.bad_type(1, "table", self, count, level - 1) end
    host = shared.text(2, host, count, level - 1)
    shared.check_phase(WAIT, level - 1)
    if find(host, "unix:", 1, true) == 1 then
        if type(port) == "table" then options = port end
        port = 0
    else
        local number = whole(port)
        if not number then return nil, "missing the port number" end
        if number < 0 or number > 65535 then return nil, "bad port number: " .. number end
        port = number
    end
    local name, size, backlog
    if type(options) == "table" then name, size, backlog = pool_of(options, level) end
    local socket = made(self)
    local ok, err = come(prim.connected, socket, prim.connect(socket, host, port, name, size, backlog))
    if err == "bad request" then error(err, level) end
    return ok, err
end

function tcp.connect(...)
    local ok, err = connect(3, ...)
    if not ok then return nil, err end
    return ok
end

function tcp.receive(...)
    local count = select("#", ...)
    local self, pattern = ...
    if count ~= 1 and count ~= 2 then
        error("expecting 1 or 2 arguments (including the object), but got " .. count, 2)
    end
    local socket = object(self, count)
    shared.check_phase(WAIT)
    local what
    if count == 1 or pattern == "*l" then
        what = LINE
    elseif pattern == "*a" then
        what = ALL
    else
        what = whole(pattern)
        if not what and type(pattern) == "string" and not find(pattern, "^%*.$") then
            shared.bad_argument(2, "bad pattern argument: " .. pattern)
        end
        if not what or not (what >= 0 and what < 2 ^ 63) then shared.bad_argument(2, "bad pattern argument") end
    end
    local number = self[2]
    if type(number) ~= "number" then
        local data, err, partial = finish(prim.received, socket, prim.receive(socket, what))
        if data then return data end
        if err and not partial then return nil, err end
        return nil, err, partial
    end
    local length = quick_receive(number, what)
    while length == WAITS do
        shared.wait(true)
        length = quick_received(number)
    end
    if length >= 0 then
        local data = ffi_string(quick_text(), length)
        return data
    end
    local _, err, partial = prim.failure()
    if err == "bad request" then error(err, 2) end
    if err and not partial then return nil, err end
    return nil, err, partial
end

function tcp.receiveany(...)
    local count = select("#", ...)
    local self, most = ...
    if count ~= 2 then error("expecting 2 arguments (including the object), but got " .. count, 2) end
    local socket = object(self, count)
    shared.check_phase(WAIT)
    most = whole(most)
    if not most or not (most > 0 and most < 2 ^ 63) then shared.bad_argument(2, "bad max argument") end
    local data, err, partial = finish(prim.received, socket, prim.receive_any(socket, most))
    if data then return data end
    if err and not partial then return nil, err end
    return nil, err, partial
end

function tcp.receiveuntil(...)
    local count = select("#", ...)
    local self, pattern, options = ...
    if count ~= 2 and count ~= 3 then
        error("expecting 2 or 3 arguments (including the object), but got " .. count, 2)
    end
    local inclusive = false
    if count == 3 then
        if type(options) ~= "table" then shared.bad_type(3, "table", options, count) end
        inclusive = options.inclusive
        if inclusive ~= nil and type(inclusive) ~= "boolean" then
            error('bad "inclusive" option value type: ' .. type(inclusive), 2)
        end
    end
    local socket = object(self, count)
    pattern = shared.text(2, pattern, count)
    local found = prim.pattern(pattern, inclusive or false)
    if not found then return nil, "pattern is empty" end
    return function(...)
        local given = select("#", ...)
        if given > 1 then error("expecting 0 or 1 arguments, but seen " .. given, 2) end
        local size = 0
        if given == 1 then size = shared.integer(1, (...), given) end
        shared.check_phase(WAIT)
        if not (size > 0 and size < 2 ^ 63) then size = 0 end
        local data, err, partial = finish(prim.received, socket, prim.receive_until(socket, found, size))
        if data then return data end
        if err and not partial then return nil, err end
        return nil, err, partial
    end
end

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

function flatten(parts, value)
    local kind = type(value)
    if kind == "table" then return flatten_table(parts, value) end
    if kind ~= "string" and kind ~= "number" then return "bad data type " .. kind .. " found" end
    parts[#parts + 1] = kind == "number" and shared.number(value) or value
end

-- The text of what is to be sent; or nil and what is wrong.
local function text_of(data)
    local kind = type(data)
    if kind == "number" then return shared.number(data) end
    if kind == "nil" or kind == "boolean" then return tostring(data) end
    if kind ~= "table" then return nil, "string, number, boolean, nil, or array table expected, got " .. kind end
    local parts = {}
    local wrong = flatten_table(parts, data)
    if wrong then return nil, wrong end
    return concat(parts)
end

shared.text_to_send = text_of

function tcp.send(...)
    local count = select("#", ...)
    local self, data = ...
    if count ~= 2 then error("expecting 2 arguments (including the object), but got " .. count, 2) end
    local socket = object(self, count)
    shared.check_phase(WAIT)
    local wrong
    if type(data) ~= "string" then data, wrong = text_of(data) end
    data = data or ""
    local number = self[2]
    local sent, err
    if type(number) == "number" then
        sent = quick_send(number, data, #data)
        while sent == WAITS do
            shared.wait(true)
            sent = quick_sent(number)
        end
        if sent < 0 then sent, err = prim.failure() end
        if err == "bad request" then error(err, 2) end
    else
        sent, err = finish(prim.sent, socket, prim.send(socket, data))
    end
    if not sent then return nil, err end
    if wrong then shared.bad_argument(2, wrong) end
    return sent
end

function tcp.close(...)
    local count = select("#", ...)
    if count ~= 1 then error("expecting 1 argument (including the object) but seen " .. count, 2) end
    local socket = object((...), count)
    local ok, err = finish(nil, socket, prim.close(socket))
    if not ok then return nil, err end
    return ok
end

-- What a connection's pool is made with, where there is none yet; one that is there keeps its size.
local function new_size(socket, size, count)
    local number = whole(size)
    if number and number >= 1 or prim.has_pool(socket) then return number end
    if not number then shared.bad_type(3, "number", size, count, 2) end
    shared.bad_argument(3, 'bad "pool_size" option value: ' .. number, 2)
end

function tcp.setkeepalive(...)
    local count = select("#", ...)
    local self, timeout, size = ...
    if count < 1 or count > 3 then
        error("expecting 1 to 3 arguments (including the object), but got " .. count, 2)
    end
    local socket = object(self, count)
    if timeout ~= nil then
        timeout = shared.integer(2, timeout, count)
        timeout = timeout >= 0 and timeout <= LONGEST and timeout or 0
    end
    if size ~= nil then
        size = bounded(new_size(socket, size, count))
        if size and size < 1 then size = nil end
    end
    local ok, err = finish(nil, socket, prim.set_keepalive(socket, timeout, size))
    if not ok then return nil, err end
    return ok
end

function tcp.getreusedtimes(...)
    local count = select("#", ...)
    if count ~= 1 then error("expecting 1 argument (including the object), but got " .. count, 2) end
    local socket = object((...), count)
    local number = (...)[2]
    if type(number) == "number" then
        local times = quick_reused(number)
        if times >= 0 then return times end
    end
    local times, err = finish(nil, socket, prim.reused_times(socket))
    if not times then return nil, err end
    return times
end

function tcp.bind(...)
    local count = select("#", ...)
    local self, address = ...
    if count ~= 2 then error("expecting 2 arguments, but got " .. count, 2) end
    if type(self) ~= "table" then shared.bad_type(1, "table", self, count) end
    address = shared.text(2, address, count)
    if not prim.bind(made(self), address) then return nil, "bad address" end
    return true
end

local function set_timeouts(self, connect, send, read)
    local socket, number = made(self), self[2]
    if type(number) == "number" then
        quick_set_timeouts(number, connect or -1, send or -1, read or -1)
    else
        prim.set_timeouts(socket, connect, send, read)
    end
end

-- A timeout in milliseconds. What is no number is 0: as the directives have it.
local function timeout(value)
    local number = whole(value) or 0
    if not (number >= 0 and number <= LONGEST) then error("bad timeout value", 3) end
    return number
end

function tcp.settimeout(...)
    local count = select("#", ...)
    local self, value = ...
    if count ~= 2 then
        error("ngx.socket settimeout: expecting 2 arguments (including the object) but seen " .. count, 2)
    end
    if type(self) ~= "table" then shared.bad_type(1, "table", self, count) end
    local number = timeout(value)
    set_timeouts(self, number, number, number)
end

function tcp.settimeouts(...)
    local count = select("#", ...)
    local self, connect, send, read = ...
    if count ~= 4 then
        error("ngx.socket settimeout: expecting 4 arguments (including the object) but seen " .. count, 2)
    end
    if type(self) ~= "table" then shared.bad_type(1, "table", self, count) end
    connect = connect ~= nil and timeout(connect) or nil
    send = send ~= nil and timeout(send) or nil
    read = read ~= nil and timeout(read) or nil
    set_timeouts(self, connect, send, read)
end

local function known_option(option)
    if option == nil then return nil, 'missing the "option" argument' end
    local number = OPTIONS[option]
    if not number then return nil, "unsupported option " .. tostring(option) end
    return number
end

function tcp:getoption(option)
    if type(self) ~= "table" then shared.bad_type(1, "table", self) end
    if not self[1] then error("socket is never created nor connected", 2) end
    local number, wrong = known_option(option)
    if not number then return nil, wrong end
    local value, err = prim.option(self[1], number)
    if not value then return nil, err end
    return value
end

function tcp:setoption(option, value)
    if type(self) ~= "table" then shared.bad_type(1, "table", self) end
    if not self[1] then error("socket is never created nor connected", 2) end
    if option == nil then return nil, 'missing the "option" argument' end
    if value == nil then return nil, 'missing the "value" argument' end
    local number, wrong = known_option(option)
    if not number then return nil, wrong end
    if type(value) == "boolean" then value = value and 1 or 0 end
    value = type(value) == "number" and whole(value)
    if not (value and value >= -LONGEST and value <= LONGEST) then
        shared.bad_argument(3, "number or boolean expected", 1)
    end
    local ok, err = prim.set_option(self[1], number, value)
    if not ok then return nil, err end
    return ok
end

ngx.socket = ngx.socket or {}
local socket = ngx.socket

function socket.tcp(...)
    local count = select("#", ...)
    if count ~= 0 then error("expecting zero arguments, but got " .. count, 2) end
    shared.check_phase(WAIT)
    return setmetatable({}, tcp)
end

socket.stream = socket.tcp

function socket.connect(...)
    shared.check_phase(WAIT)
    local new = setmetatable({}, tcp)
    local ok, err = connect(3, new, ...)
    if not ok then return nil, err end
    return new
end

-- For those families that have methods of their own.
shared.tcp = { methods = tcp, finish = finish, new = prim.new }
