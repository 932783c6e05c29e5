-- ngx.balancer
local prim, ngx, shared = ...

local error, tonumber, type = error, tonumber, type
local ceil, floor, min = math.ceil, math.floor, math.min

-- The greatest number that the primitives take.
local MOST = 2 ^ 31 - 1

local balancer = {}
package.preload["ngx.balancer"] = function() return balancer end

-- Raises where no request runs this Lua; `level` is as for `error`, seen from the caller.
local function check_request(failed, level)
    if failed == prim.no_request then error(failed, level + 1) end
end

function balancer.set_current_peer(address, port)
    if type(address) ~= "string" then shared.bad_type(1, "string", address) end
    local number = port == nil and 0 or tonumber(port)
    if not number then shared.bad_type(2, "number", port) end
    if not (number >= 0 and number < 65536) then return nil, "invalid port" end
    local failed = prim.set_peer(address, floor(number))
    if failed then
        check_request(failed, 2)
        return nil, failed
    end
    return true
end

function balancer.set_more_tries(count)
    if type(count) ~= "number" then shared.bad_type(1, "number", count) end
    local failed, all = prim.set_more_tries(count > 0 and floor(min(count, MOST)) or 0)
    if failed then
        check_request(failed, 2)
        return nil, failed
    end
    if not all then return true, "reduced tries due to limit" end
    return true
end

function balancer.get_last_failure()
    local failed, state, status = prim.last_failure()
    if failed then
        check_request(failed, 2)
        return nil, nil, failed
    end
    return state, status
end

-- Milliseconds of seconds; nil for nil.
local function milliseconds(seconds, what)
    if seconds == nil then return nil end
    if type(seconds) ~= "number" or not (seconds > 0) then error("bad " .. what .. " timeout", 3) end
    return ceil(min(seconds * 1000, MOST))
end

function balancer.set_timeouts(connect, send, read)
    connect = milliseconds(connect, "connect")
    send = milliseconds(send, "send")
    read = milliseconds(read, "read")
    local failed = prim.set_timeouts(connect, send, read)
    if failed then
        check_request(failed, 2)
        return false, failed
    end
    return true
end

function balancer.recreate_request()
    local failed = prim.recreate_request()
    if failed then
        check_request(failed, 2)
        return nil, failed
    end
    return true
end
