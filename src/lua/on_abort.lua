-- ngx.on_abort
local prim, ngx, shared = ...

local type, getinfo = type, debug.getinfo
local OUTPUT = shared.phases.output

function ngx.on_abort(callback)
    shared.check_phase(OUTPUT)
    if not prim.watches() then return nil, "lua_check_client_abort is off" end
    if type(callback) ~= "function" or getinfo(callback, "S").what == "C" then
        shared.bad_argument(1, "Lua function expected")
    end
    local gone, err = prim.gone()
    if not gone then return nil, err end
    shared.spawn_idle(function()
        shared.wait(gone)
        callback()
    end)
    return 1
end
