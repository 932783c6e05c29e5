-- ngx.thread: light threads. The driver runs them; who has spawned, waited for and killed whom is kept here.
local prim, ngx, shared = ...

local error, select, setmetatable, type, unpack, xpcall = error, select, setmetatable, type, unpack, xpcall
local raw_status, running, traceback = coroutine.status, coroutine.running, debug.traceback
local raw_resume = coroutine.resume
local sub, FRAMES = string.sub, #"\nstack traceback:\n" + 1
local WAIT = shared.phases.wait

-- Coroutine → what is known of the light thread that it is. A value must not lead to its coroutine, or the two would never be
-- collected: so it holds neither the parent, whose stack may hold the coroutine, nor the results.
local threads = setmetatable({}, { __mode = "k" })
-- What is known of a light thread → its coroutine, and the one that has spawned it.
local started = setmetatable({}, { __mode = "kv" })
local parents = setmetatable({}, { __mode = "kv" })

-- The end of a light thread: it keeps its results on its own stack until it is resumed for them.
local function finish(thread, ok, ...)
    thread.ended = true
    if not ok then
        local text = "lua user thread aborted: runtime error: " .. thread.failure
        shared.log(ngx.ERR, text)
    end
    if thread.waiter then prim.tell(thread.waiter) end
    shared.ended()
    return ok, ...
end

ngx.thread = {}

-- What a light thread's function has raised, before its stack goes.
local function failed(err)
    local text = type(err) == "string" and err or type(err) == "number" and tostring(err) or "unknown reason"
    -- Without this function's own frame.
    local frames, count = sub(traceback("", 2), FRAMES), 0
    local raised = shared.raised
    if raised.text == err and raised.frames then
        count = raised.count + 1
        frames = raised.frames .. "\ncoroutine " .. count .. ":\n" .. frames
        raised.frames = nil
    end
    local thread = threads[running()]
    -- Those that have spawned it stand behind it.
    local parent = parents[thread]
    while parent do
        count = count + 1
        frames = frames .. "\ncoroutine " .. count .. ":\n" .. sub(traceback(parent, "", 0), FRAMES)
        thread = threads[parent]
        parent = thread and parents[thread]
    end
    threads[running()].failure = text .. "\nstack traceback:\ncoroutine 0:\n" .. frames
    return err
end

-- What a light thread runs.
local function run(thread, body, ...)
    local co = running()
    started[thread], threads[co] = co, thread
    return finish(thread, xpcall(body, failed, ...))
end

function ngx.thread.spawn(body, ...)
    if type(body) ~= "function" then shared.bad_type(1, "function", body) end
    shared.check_phase(WAIT)
    local thread, parent = { ended = false, gone = false, waiter = false }, running()
    parents[thread] = parent
    -- Until the new one waits for the first time, who has spawned it stands behind it.
    local spawner = threads[parent]
    if spawner then spawner.spawns = true end
    shared.spawn(run, thread, body, ...)
    if spawner then spawner.spawns = nil end
    return started[thread]
end

-- The light thread that the argument at `position` is; raises unless the caller has spawned it.
local function child(position, co, what)
    if type(co) ~= "thread" then shared.bad_argument(position, "lua thread expected", 2) end
    local thread = threads[co]
    if not thread then
        if what == "kill" then return nil, "not user thread" end
        error("attempt to wait on a coroutine that is not a user thread", 3)
    end
    if parents[thread] ~= running() then
        if what == "kill" then return nil, "killer not parent" end
        error("only the parent coroutine can wait on the thread", 3)
    end
    return thread
end

local function resumed(_, ...)
    return ...
end

local function results_of(co)
    threads[co].gone = true
    return resumed(raw_resume(co))
end

function ngx.thread.wait(...)
    local count = select("#", ...)
    shared.check_phase(WAIT)
    if count == 1 then
        local co = ...
        local thread = child(1, co, "wait on")
        if thread.gone then return nil, "already waited or killed" end
        if thread.ended then return results_of(co) end
    end
    if count == 0 then error("at least one coroutine should be specified", 2) end
    local coroutines, waited = { ... }, {}
    for i = 1, count do
        local thread = child(i, coroutines[i], "wait on")
        if thread.gone then return nil, "already waited or killed" end
        waited[i] = thread
    end
    for i = 1, count do
        if waited[i].ended then return results_of(coroutines[i]) end
    end
    local operation, completion = prim.signal()
    for i = 1, count do waited[i].waiter = completion end
    shared.wait(operation)
    for i = 1, count do waited[i].waiter = false end
    for i = 1, count do
        if waited[i].ended then return results_of(coroutines[i]) end
    end
    return nil, "killed"
end

function ngx.thread.kill(co)
    local thread, err = child(1, co, "kill")
    if not thread then return nil, err end
    if thread.gone then return nil, "already waited or killed" end
    if thread.ended then return nil, "already terminated" end
    if shared.is_capturing(co) then return nil, "pending subrequests" end
    thread.gone = true
    shared.kill(co)
    return 1
end

-- As upstream names them: a light thread that waits is running, one that ended unnoticed is a zombie.
function coroutine.status(co)
    local thread = threads[co]
    if thread then
        if thread.gone then return "dead" end
        if thread.ended then return "zombie" end
        return (thread.spawns or raw_status(co) == "normal") and "normal" or "running"
    end
    return raw_status(co)
end

function coroutine.resume(co, ...)
    if co ~= nil and threads[co] then return false, "cannot resume " .. coroutine.status(co) .. " coroutine" end
    return raw_resume(co, ...)
end
