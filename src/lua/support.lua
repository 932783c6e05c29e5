-- What the Lua halves of all families share: the phase check and the tags of a yield.
local prim, ngx, shared = ...

local error, yield = error, coroutine.yield

-- Yields that only the driver understands.
local exit_tag, wait_tag = prim.exit_tag, prim.wait_tag

function shared.exit(status)
    return yield(exit_tag, status)
end

function shared.wait(operation)
    return yield(wait_tag, operation)
end

-- Raises for a function that was called where no request is.
function shared.no_request(level)
    return error("no request found", (level or 1) + 1)
end

function ngx.get_phase()
    return prim.phase_names[prim.phase()] or error("no request ctx found", 2)
end

-- Raises for a function that was called in a phase that does not allow it.
function shared.disabled(level)
    local phase = prim.phase_names[prim.phase()]
    if not phase then return shared.no_request((level or 1) + 1) end
    return error("API disabled in the context of " .. phase .. "_by_lua*", (level or 1) + 1)
end

-- Fields of `ngx` that are computed: name → function(), name → function(value).
local get, set = {}, {}
shared.ngx_get, shared.ngx_set = get, set

setmetatable(ngx, {
    __index = function(_, name)
        local field = get[name]
        if field then return field() end
    end,
    __newindex = function(ngx, name, value)
        local field = set[name]
        if field then return field(value) end
        rawset(ngx, name, value)
    end,
})
