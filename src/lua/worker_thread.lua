-- ngx.run_worker_thread
local prim, ngx, shared = ...

local type, tostring, select = type, tostring, select
local run, outcome = prim.run, prim.outcome
local WAIT = shared.phases.wait

-- The text of an argument that must be a string; a number is one.
local function text_of(value)
    if type(value) == "string" then return value end
    return type(value) == "number" and tostring(value) or nil
end

function ngx.run_worker_thread(...)
    shared.check_phase(WAIT)
    if select("#", ...) < 3 then return false, "expecting at least 3 arguments" end
    local pool, module, name = ...
    pool = text_of(pool)
    if not pool then return false, "threadpool should be a string" end
    module = text_of(module)
    if not module then return false, "module name should be a string" end
    name = text_of(name)
    if not name then return false, "function name should be a string" end
    local operation, err = run(pool, module, name, select(4, ...))
    if not operation then return false, err end
    shared.wait(operation)
    return outcome(operation)
end
