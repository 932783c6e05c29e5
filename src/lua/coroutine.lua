-- coroutine.resume and coroutine.wrap: what a coroutine yields to the driver (a wait, an exit) is passed on by whoever
-- has resumed it, level by level, and the driver's answer comes back the same way.
local _, ngx, shared = ...

local error, type, select = error, type, select
local create, resume, status, yield = coroutine.create, coroutine.resume, coroutine.status, coroutine.yield
local tags = shared.tags

-- What resuming `co` has returned; where that was meant for the driver, what it returns in the end.
local function pass(co, ok, ...)
    if ok and tags[(...)] and status(co) == "suspended" then return pass(co, resume(co, yield(...))) end
    return ok, ...
end

function coroutine.resume(co, ...)
    if type(co) == "thread" then
        local is = status(co)
        if is ~= "suspended" then return false, "cannot resume " .. is .. " coroutine" end
    end
    return pass(co, resume(co, ...))
end

-- Called in the place of the function that wraps, so that level 2 is who calls that.
local function unwrap(ok, ...)
    if not ok then error((...), 2) end
    return ...
end

function coroutine.wrap(body)
    if type(body) ~= "function" then
        local got = body == nil and "no value" or type(body)
        error("bad argument #1 to 'wrap' (function expected, got " .. got .. ")", 2)
    end
    local co = create(body)
    return function(...)
        return unwrap(pass(co, resume(co, ...)))
    end
end
