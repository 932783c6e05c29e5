-- ngx.ssl
local prim, ngx, shared = ...

local type = type

local ssl = {
    version = "0.1.25",

    SSL3_VERSION = 0x0300,
    TLS1_VERSION = 0x0301,
    TLS1_1_VERSION = 0x0302,
    TLS1_2_VERSION = 0x0303,
    TLS1_3_VERSION = 0x0304,

    clear_certs = prim.clear_certs,
    server_name = prim.server_name,
    server_port = prim.server_port,
    raw_server_addr = prim.raw_server_addr,
    raw_client_addr = prim.raw_client_addr,
    get_tls1_version = prim.version,
    get_tls1_version_str = prim.version_name,
}

-- A function that takes one string, PEM or DER, of which bytes are taken as they are.
local function of_string(call)
    return function(text)
        if type(text) ~= "string" then shared.bad_type(1, "string", text) end
        return call(text)
    end
end

ssl.cert_pem_to_der = of_string(prim.cert_pem_to_der)
ssl.parse_pem_cert = of_string(prim.parse_pem_cert)
ssl.parse_pem_priv_key = of_string(prim.parse_pem_priv_key)
ssl.set_der_cert = of_string(prim.set_der_cert)
ssl.set_der_priv_key = of_string(prim.set_der_priv_key)

function ssl.priv_key_pem_to_der(pem, password)
    if type(pem) ~= "string" then shared.bad_type(1, "string", pem) end
    if password ~= nil and type(password) ~= "string" then shared.bad_type(2, "string", password) end
    return prim.priv_key_pem_to_der(pem, password)
end

function ssl.set_cert(chain)
    if chain == nil then return nil, "invalid certificate chain" end
    local ok, message = prim.set_cert(chain)
    if ok then return true end
    if ok == false then shared.bad_type(1, "certificate chain", chain) end
    return nil, message
end

function ssl.set_priv_key(key)
    if key == nil then return nil, "invalid private key failed" end
    local ok, message = prim.set_priv_key(key)
    if ok then return true end
    if ok == false then shared.bad_type(1, "private key", key) end
    return nil, message
end

function ssl.verify_client(authorities, depth)
    if depth ~= nil and type(depth) ~= "number" then shared.bad_type(2, "number", depth) end
    if not shared.in_phase(shared.phases.ssl_certificate) then return nil, "API disabled in the current context" end
    local ok, message = prim.verify_client(authorities, depth)
    if ok then return true end
    if ok == false then shared.bad_type(1, "certificate chain", authorities) end
    return nil, message
end

package.preload["ngx.ssl"] = function() return ssl end
