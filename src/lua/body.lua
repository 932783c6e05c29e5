-- ngx.req.read_body, get_body_data, get_body_file, discard_body, get_post_args.
local prim, ngx, shared = ...

local error, select = error, select
local REQUEST, OUTPUT = shared.phases.request, shared.phases.output
local req = ngx.req
shared.body_was_read = prim.was_read

-- How many arguments are taken where a call says nothing else.
local DEFAULT_MAX = 100
-- The first status that ends a request by a page of nginx's own.
local SPECIAL_RESPONSE = 300

local function no_arguments(count)
    if count > 0 then error("expecting 0 arguments but seen " .. count, 3) end
end

function req.read_body(...)
    no_arguments(select("#", ...))
    shared.check_phase(OUTPUT)
    local done, rest = prim.read()
    if done then return end
    if done == false then
        shared.wait(rest)
    elseif rest then
        shared.exit(rest)
    else
        shared.no_request(2)
    end
end

function req.discard_body(...)
    no_arguments(select("#", ...))
    if shared.is_fake() then shared.no_request(2) end
    shared.check_phase(OUTPUT)
    local status = prim.discard()
    if status >= SPECIAL_RESPONSE then return shared.exit(status) end
end

function req.get_body_data(max, ...)
    no_arguments(select("#", ...))
    if max ~= nil then max = shared.integer(1, max) end
    shared.check_phase(REQUEST)
    return (prim.data(max and max > 0 and max or nil))
end

function req.get_body_file(...)
    no_arguments(select("#", ...))
    shared.check_phase(REQUEST)
    return prim.file()
end

function req.get_post_args(...)
    local count = select("#", ...)
    if count > 1 then error("expecting 0 or 1 arguments but seen " .. count, 2) end
    local max = ...
    max = count == 1 and shared.integer(1, max) or DEFAULT_MAX
    shared.check_phase(REQUEST)
    if not prim.was_read() then
        error("no request body found; maybe you should turn on lua_need_request_body?", 2)
    end
    local text, in_file = prim.data()
    if in_file then return nil, "request body in temp file not supported" end
    return shared.decode_args(text or "", max)
end
