-- ngx.ssl.clienthello
local prim, ngx, shared = ...

local type, error, ipairs = type, error, ipairs

local clienthello = { version = "0.1.25" }

-- OpenSSL keeps the client's message for the time of its callback only.
local function check_phase()
    if not shared.in_phase(shared.phases.ssl_client_hello) then error("API disabled in the current context", 3) end
end

function clienthello.get_client_hello_server_name()
    check_phase()
    return prim.server_name()
end

function clienthello.get_supported_versions()
    check_phase()
    return prim.versions()
end

function clienthello.get_client_hello_ext(kind)
    check_phase()
    if type(kind) ~= "number" then shared.bad_type(1, "number", kind) end
    -- No other numbers fit into a message.
    if not (kind >= 0 and kind < 65536) then return nil end
    return prim.extension(kind - kind % 1)
end

function clienthello.set_protocols(protocols)
    check_phase()
    if type(protocols) ~= "table" then shared.bad_type(1, "table", protocols) end
    local names = {}
    for i, name in ipairs(protocols) do
        if type(name) ~= "string" then return nil, "invalid protocols failed" end
        names[i] = name
    end
    return prim.set_protocols(names)
end

package.preload["ngx.ssl.clienthello"] = function() return clienthello end
