-- ngx.ocsp
local prim, ngx, shared = ...

local type, sub = type, string.sub

-- What the optional lengths are where they are not given: upstream's buffer.
local BUFFER = 4096

local ocsp = { version = "0.1.25" }

local function check_string(position, value)
    if type(value) ~= "string" then shared.bad_type(position, "string", value, nil, 2) end
end

local function length_of(position, value)
    if value == nil then return BUFFER end
    if type(value) ~= "number" then shared.bad_type(position, "number", value, nil, 2) end
    return value
end

function ocsp.get_ocsp_responder_from_der_chain(chain, max_len)
    check_string(1, chain)
    local longest = length_of(2, max_len)
    local url, message = prim.responder(chain)
    if message then return nil, message end
    if url and #url > longest then return sub(url, 1, longest), "truncated" end
    return url
end

function ocsp.create_ocsp_request(chain, max_len)
    check_string(1, chain)
    local longest = length_of(2, max_len)
    local request, message = prim.request(chain)
    if message then return nil, message end
    if #request > longest then return nil, "output buffer too small: " .. #request .. " > " .. longest end
    return request
end

function ocsp.validate_ocsp_response(response, chain, max_err_msg_len)
    check_string(1, response)
    check_string(2, chain)
    local longest = length_of(3, max_err_msg_len)
    local ok, message = prim.validate(response, chain)
    if ok then return true end
    return nil, sub(message, 1, longest)
end

function ocsp.set_ocsp_status_resp(response)
    check_string(1, response)
    return prim.staple(response)
end

package.preload["ngx.ocsp"] = function() return ocsp end
