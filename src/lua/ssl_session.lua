-- ngx.ssl.session
local prim, ngx, shared = ...

local type = type

local session = {
    version = "0.1.25",
    get_session_id = prim.id,
    get_serialized_session = prim.get,
}

function session.set_serialized_session(serialized)
    if type(serialized) ~= "string" then shared.bad_type(1, "string", serialized) end
    return prim.set(serialized)
end

package.preload["ngx.ssl.session"] = function() return session end
