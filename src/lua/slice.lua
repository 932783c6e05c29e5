-- Loading modules for a candidate, a slice of time at a go: where they fail, and what they must not do meanwhile.
local prim, ngx, shared = ...

local xpcall, error, tostring, rawequal, traceback = xpcall, error, tostring, rawequal, debug.traceback
local exit, sethook = os.exit, debug.sethook

shared.jit_status = jit.status

-- What was raised last in a slice, and the frames where it was raised first.
local NOTHING = {}
local raised, frames = NOTHING, nil

-- The message handler of all that loads modules.
function shared.failed(message)
    -- A request's own failures between two slices are not the candidate's.
    if shared.slicing and not rawequal(message, raised) then
        raised, frames = message, traceback("", 2):gsub("^%s*stack traceback:%s*\n", "")
    end
    return message
end

-- What the coroutine of a slice runs: true; or false, the error and the traceback of where it was raised.
function shared.slice(load, ...)
    raised, frames = NOTHING, nil
    local ok, message = xpcall(load, shared.failed, ...)
    if ok then return true end
    return false, tostring(message), frames
end

-- A candidate must not end the worker that tries it.
function os.exit(...)
    if shared.slicing then error("os.exit() while a module is loaded for a candidate", 2) end
    return exit(...)
end

-- LuaJIT has one hook for all coroutines: the candidate's would replace the one that ends its slices.
function debug.sethook(...)
    if shared.slicing then error("debug.sethook() while a module is loaded for a candidate", 2) end
    return sethook(...)
end
