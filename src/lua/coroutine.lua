-- coroutine.resume and coroutine.wrap: what a coroutine yields to the driver (a wait, an exit) is passed on by whoever
-- has resumed it, level by level, and the driver's answer comes back the same way.
local _, ngx, shared = ...

local error, setmetatable, type = error, setmetatable, type
local create, resume, running, status, yield =
    coroutine.create, coroutine.resume, coroutine.running, coroutine.status, coroutine.yield
local sub, traceback = string.sub, debug.traceback
local tags = shared.tags
-- Where the frames begin in a traceback.
local FRAMES = #"\nstack traceback:\n" + 1

-- Coroutines that have yielded to the driver: the one that waits runs as users see it, those that have resumed it are
-- normal. To Lua they are all suspended, but nobody else may resume them.
local waits = setmetatable({}, { __mode = "k" })

function coroutine.status(co)
    return co ~= nil and waits[co] or status(co)
end

local pass

local function go_on(co, own, ...)
    waits[co] = nil
    if own then waits[own] = nil end
    return pass(co, resume(co, ...))
end

-- What resuming `co` has returned; where that was meant for the driver, what it returns in the end.
function pass(co, ok, ...)
    if ok and tags[(...)] and status(co) == "suspended" then
        local own = running()
        if not waits[co] then waits[co] = "running" end
        if own then waits[own] = "normal" end
        return go_on(co, own, yield(...))
    end
    return ok, ...
end

local function resume_suspended(co, ...)
    if type(co) ~= "thread" then error("bad argument #1 to 'resume' (coroutine expected)", 2) end
    local is = waits[co] or status(co)
    if is ~= "suspended" then return false, "cannot resume " .. is .. " coroutine" end
    return pass(co, resume(co, ...))
end
coroutine.resume = resume_suspended

-- What a wrapped coroutine has raised last, and the frames of those that it has passed through, the innermost first.
local raised = {}
shared.raised = raised

-- What a wrapped coroutine has raised goes on as it is.
local function unwrap(co, ok, ...)
    if ok then return ... end
    local err = ...
    local frames = sub(traceback(co, "", 0), FRAMES)
    if raised.text == err and raised.frames then
        raised.count = raised.count + 1
        frames = raised.frames .. "\ncoroutine " .. raised.count .. ":\n" .. frames
    else
        raised.count = 0
    end
    raised.text, raised.frames = type(err) == "string" and err or nil, frames
    error(err, 0)
end

function coroutine.wrap(body)
    if type(body) ~= "function" then
        local got = body == nil and "no value" or type(body)
        error("bad argument #1 to 'wrap' (function expected, got " .. got .. ")", 2)
    end
    local co = create(body)
    return function(...)
        return unwrap(co, resume_suspended(co, ...))
    end
end
