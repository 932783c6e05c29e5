-- ngx.req.socket: the client's connection as a cosocket.
local prim, ngx, shared = ...

local error, select, setmetatable = error, select, setmetatable
local open_body, open_raw = prim.body, prim.raw
local OUTPUT, tcp = shared.phases.output, shared.tcp.methods

-- A cosocket with those methods of a TCP cosocket.
local function class(...)
    local methods = {}
    for i = 1, select("#", ...) do
        local name = select(i, ...)
        methods[name] = tcp[name]
    end
    methods.__index = methods
    return methods
end

local body = class("receive", "receiveany", "receiveuntil", "settimeout", "settimeouts")
local raw = class("receive", "receiveany", "receiveuntil", "send", "settimeout", "settimeouts")

function ngx.req.socket(...)
    local count = select("#", ...)
    if count > 1 then error("expecting zero arguments, but got " .. count, 2) end
    shared.check_phase(OUTPUT)
    local is_raw = ...
    local socket, err, raised
    if is_raw then socket, err, raised = open_raw() else socket, err, raised = open_body() end
    if raised then error(err, 2) end
    if not socket then return nil, err end
    return setmetatable({ socket }, is_raw and raw or body)
end
