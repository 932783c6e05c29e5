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
