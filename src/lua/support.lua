-- What the Lua halves of all families share: the phase check and the tags of a yield.
local prim, ngx, shared = ...

package.loaded.ngx = ngx

local error, rawset, setmetatable, yield = error, rawset, setmetatable, coroutine.yield

-- Yields that only the driver understands.
local exit_tag, wait_tag, spawn_tag, kill_tag = prim.exit_tag, prim.wait_tag, prim.spawn_tag, prim.kill_tag
local ended_tag = prim.ended_tag
shared.tags = { [exit_tag] = true, [wait_tag] = true, [spawn_tag] = true, [kill_tag] = true }

function shared.exit(status)
    return yield(exit_tag, status)
end

function shared.wait(operation)
    return yield(wait_tag, operation)
end

-- Runs `body(...)` as a light thread.
function shared.spawn(body, ...)
    return yield(spawn_tag, body, false, ...)
end

-- Spawns one that does not keep the request while it waits for the first time.
function shared.spawn_idle(body)
    return yield(spawn_tag, body, true)
end

function shared.kill(thread)
    return yield(kill_tag, thread)
end

-- Ends a light thread to the driver; whoever holds it may resume it for its results.
function shared.ended()
    return yield(ended_tag)
end

shared.is_fake = prim.is_fake

-- Raises for a function that was called where no client's request is; `level` is as for `error`, seen from the caller.
-- No call on the way to an `error` may be a tail call (`return error(..)`): it would take away a frame that the level
-- counts.
function shared.no_request(level)
    error(prim.is_fake() and "API disabled in the current context" or "no request found", (level or 1) + 1)
end

-- Fields of ngx that are computed: by name, a function that answers `ngx.NAME`, and one that is given what is assigned.
-- They are tail-called, so that level 2 of what they raise is the code that reads or assigns.
local get, set = {}, {}
shared.ngx_get, shared.ngx_set = get, set

setmetatable(ngx, {
    __index = function(_, name)
        local compute = get[name]
        if compute then return compute() end
        return nil
    end,
    __newindex = function(_, name, value)
        local assign = set[name]
        if assign then return assign(value) end
        rawset(ngx, name, value)
    end,
})

-- Sends a header that is due. What a C function answers with `shared.DUE` is to be called again after that.
shared.DUE, shared.settle = -2, prim.settle

-- The running phase's bit.
shared.phase = prim.phase

function ngx.get_phase()
    return prim.phase_names[prim.phase()] or error("no request ctx found", 2)
end
