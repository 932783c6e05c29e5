-- ngx.process
local prim, ngx, shared = ...

local type = type

local process = {
    version = shared.core_version,
    type = prim.type,
    get_master_pid = prim.master_pid,
    signal_graceful_exit = prim.quit,
}

-- Stock nginx has no such process: that takes OpenResty's patches.
function process.enable_privileged_agent(connections)
    if not prim.in_init() then return nil, "API disabled in the current context" end
    if connections ~= nil and (type(connections) ~= "number" or connections < 0) then
        return nil, "bad 'connections' argument: number expected and greater than 0"
    end
    return nil, "missing privileged agent process patch in the nginx core"
end

package.preload["ngx.process"] = function() return process end
