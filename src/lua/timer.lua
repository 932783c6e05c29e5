-- ngx.timer
local prim, ngx, shared = ...

local error, floor, select, tonumber, type = error, math.floor, select, tonumber, type
local getinfo = debug.getinfo
local start, running, pending, in_init, in_exit = prim.start, prim.running, prim.pending, prim.in_init, prim.in_exit

local timer = {}
ngx.timer = timer

-- The milliseconds after which a timer is to fire that was asked for with `count` arguments.
local function milliseconds(count, delay, callback)
    if count < 2 then error("expecting at least 2 arguments but got " .. count, 3) end
    local number = type(delay) == "number" and delay or type(delay) == "string" and tonumber(delay)
    if not number then shared.bad_type(1, "number", delay, count, 2) end
    if type(callback) ~= "function" or getinfo(callback, "S").what == "C" then
        shared.bad_argument(2, "Lua function expected", 2)
    end
    -- What is below zero, or no number, is due at once.
    return number > 0 and floor(number * 1000) or 0
end

-- A callback with its arguments, as the Rust half takes it.
local function call(callback, ...)
    local count = select("#", ...)
    if count == 0 then return callback end
    return { count, callback, ... }
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
    local refusal = start(after, false, nil, shared.slicing == true, call(select(2, ...)))
    if refusal then return nil, refusal end
    return 1
end

function timer.every(...)
    local delay, callback = ...
    local period = milliseconds(select("#", ...), delay, callback)
    if period == 0 then error("delay cannot be zero", 2) end
    check()
    local refusal = start(period, true, shared.loading_module(), shared.slicing == true, call(select(2, ...)))
    if refusal then return nil, refusal end
    return 1
end

function timer.running_count()
    if in_init() then error("no request", 2) end
    return running()
end

function timer.pending_count()
    if in_init() then error("no request", 2) end
    return pending()
end
