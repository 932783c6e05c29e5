-- ngx.timer
local prim, ngx, shared = ...

local error, floor, select, tonumber, type = error, math.floor, select, tonumber, type
local pcall, unpack, bytecode = pcall, unpack, require("jit.util").funcbc
local start, running, pending, in_init, in_exit = prim.start, prim.running, prim.pending, prim.in_init, prim.in_exit

local timer = {}
ngx.timer = timer

-- The milliseconds after which a timer is to fire that was asked for with `count` arguments.
local function milliseconds(count, delay, callback)
    if count < 2 then error("expecting at least 2 arguments but got " .. count, 3) end
    local number = type(delay) == "number" and delay or type(delay) == "string" and tonumber(delay)
    if not number then shared.bad_type(1, "number", delay, count, 2) end
    -- A C function has no bytecode to look at.
    if type(callback) ~= "function" or not pcall(bytecode, callback, 0) then
        shared.bad_argument(2, "Lua function expected", 2)
    end
    -- What is below zero, or no number, is due at once.
    return number > 0 and floor(number * 1000) or 0
end

-- What timers call, by slot: a function; or a table of the number of arguments, the function and the arguments.
local calls = {}
shared.timer_calls = calls

-- What a timer's coroutine runs. It leaves no frame of its own.
function shared.call_timer(slot, premature)
    local call = calls[slot]
    if type(call) == "function" then return call(premature) end
    return call[2](premature, unpack(call, 3, call[1] + 2))
end

-- Starts a timer; 1, or nil and why not.
local function begin(after, repeats, module, callback, ...)
    local slot, refusal = start(after, repeats, module, shared.slicing == true)
    if not slot then return nil, refusal end
    local count = select("#", ...)
    calls[slot] = count == 0 and callback or { count, callback, ... }
    return 1
end

-- Raises where there are no timers: while the configuration is loaded, and as the worker ends.
local function check()
    if in_init() then error("no request", 3) end
    if in_exit() then shared.disabled(3) end
end

function timer.at(...)
    local delay, callback = ...
    local after = milliseconds(select("#", ...), delay, callback)
    check()
    return begin(after, false, nil, select(2, ...))
end

function timer.every(...)
    local delay, callback = ...
    local period = milliseconds(select("#", ...), delay, callback)
    if period == 0 then error("delay cannot be zero", 2) end
    check()
    return begin(period, true, shared.loading_module(), select(2, ...))
end

function timer.running_count()
    if in_init() then error("no request", 2) end
    return running()
end

function timer.pending_count()
    if in_init() then error("no request", 2) end
    return pending()
end
