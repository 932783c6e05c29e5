-- coroutine.resume and coroutine.wrap: what a coroutine yields to the driver (a wait, an exit) is passed on by whoever
-- has resumed it, level by level, and the driver's answer comes back the same way.
local _, ngx, shared = ...

local error, type, select = error, type, select
local create, resume, status, yield = coroutine.create, coroutine.resume, coroutine.status, coroutine.yield
local tags = shared.tags

-- What resuming `co` has returned; where that was meant for the driver, what it returns in the end.
local function pass(co, ok, tag, ...)
    if tag ~= nil and tags[tag] and ok and status(co) == "suspended" then return pass(co, resume(co, yield(tag, ...))) end
    return ok, tag, ...
end

function coroutine.resume(co, ...)
    return pass(co, resume(co, ...))
end

local function unwrap(ok, ...)
    if not ok then error((...), 0) end
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
