-- ngx.socket.udp
local prim, ngx, shared = ...

local error, select, tonumber, type = error, select, tonumber, type
local floor, setmetatable = math.floor, setmetatable
local check_phase, wait, text_of = shared.check_phase, shared.wait, shared.text_to_send
local connect, connected, send, receive = prim.connect, prim.connected, prim.send, prim.receive
local WAIT = shared.phases.wait

-- How much of a datagram is received where Lua does not say: all of it.
local ALL = 65536

local udp = {}
udp.__index = udp

-- The Rust half of a socket. Called at the level of the method.
local function half(socket)
    local own = type(socket) == "table" and socket[1]
    if type(own) ~= "userdata" then
        if type(socket) ~= "table" then shared.bad_type(1, "table", socket, nil, 2) end
        return nil
    end
    return own
end

local function counted(count, wanted, text)
    if count ~= wanted then error(text .. count, 3) end
end

function udp.setpeername(...)
    local count = select("#", ...)
    if count ~= 2 and count ~= 3 then
        error("ngx.socket.udp setpeername: expecting 2 or 3 arguments (including the object), but seen " .. count, 2)
    end
    local socket, host, port = ...
    local own = half(socket)
    host = shared.text(2, host)
    if count == 3 then port = shared.integer(3, port) else port = 0 end
    if port < 0 or port > 65535 then return nil, "bad port number: " .. port end
    check_phase(WAIT)
    if not own then return nil, "closed" end
    local done, err = connect(own, host, port)
    while type(done) == "userdata" do
        wait(done)
        done, err = connected(own)
    end
    if done then return 1 end
    if done == false then error(err, 2) end
    return nil, err
end

function udp.send(...)
    counted(select("#", ...), 2, "expecting 2 arguments (including the object), but got ")
    local socket, data = ...
    local own = half(socket)
    local wrong
    if type(data) ~= "string" then data, wrong = text_of(data) end
    if wrong then shared.bad_argument(2, wrong) end
    if not own then return nil, "closed" end
    local done, err = send(own, data)
    if done then return 1 end
    if done == false then error(err, 2) end
    return nil, err
end

function udp.receive(...)
    local count = select("#", ...)
    if count ~= 1 and count ~= 2 then
        error("expecting 1 or 2 arguments (including the object), but got " .. count, 2)
    end
    local socket, size = ...
    local own = half(socket)
    if size == nil then size = ALL else size = shared.integer(2, size) end
    if size < 0 or size > ALL then size = ALL end
    check_phase(WAIT)
    if not own then return nil, "closed" end
    local data, err = receive(own, size, false)
    while type(data) == "userdata" do
        wait(data)
        data, err = receive(own, size, true)
    end
    if data then return data end
    if data == false then error(err, 2) end
    return nil, err
end

function udp.settimeout(...)
    counted(select("#", ...), 2, "ngx.socket settimeout: expecting at least 2 arguments (including the object) but seen ")
    local socket, milliseconds = ...
    local own = half(socket)
    -- As upstream, which takes what is no number for 0.
    milliseconds = tonumber(milliseconds) or 0
    if own then prim.set_timeout(own, floor(milliseconds)) end
end

function udp.bind(...)
    counted(select("#", ...), 2, "ngx.socket.udp bind: expecting 2 arguments (including the object), but seen ")
    local socket, address = ...
    local own = half(socket)
    address = shared.text(2, address)
    if not own then return nil, "closed" end
    local done, err = prim.bind(own, address)
    if done then return 1 end
    return nil, err
end

function udp.close(...)
    counted(select("#", ...), 1, "expecting 1 argument (including the object) but seen ")
    local own = half((...))
    if not own then return nil, "closed" end
    local done, err = prim.close(own)
    if done then return 1 end
    if done == false then error(err, 2) end
    return nil, err
end

ngx.socket = ngx.socket or {}

function ngx.socket.udp(...)
    local count = select("#", ...)
    if count ~= 0 then error("expecting zero arguments, but got " .. count, 2) end
    check_phase(WAIT)
    return setmetatable({ prim.udp() }, udp)
end
