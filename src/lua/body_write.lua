-- ngx.req.set_body_data, set_body_file, init_body, append_body, finish_body.
local prim, ngx, shared = ...

local error, select, type = error, select, type
local REQUEST = shared.phases.request
local was_read = shared.body_was_read
local req = ngx.req

-- What a primitive answers is what is wrong. Called at the level of the function that the user calls.
local function check(wrong)
    if wrong then error(wrong, 3) end
end

local function counted(count, fewest, most, text)
    if count < fewest or count > most then error("expecting " .. text .. " but seen " .. count, 3) end
    shared.check_phase(REQUEST, 2)
end

local function check_read()
    if not was_read() then error("request body not read yet", 3) end
end

function req.set_body_data(...)
    counted(select("#", ...), 1, 1, "1 arguments")
    local text = ...
    text = shared.text(1, text)
    check(prim.set(text))
end

function req.set_body_file(...)
    local count = select("#", ...)
    counted(count, 1, 2, "1 or 2 arguments")
    local path, remove = ...
    path = shared.text(1, path)
    check_read()
    if count == 2 and type(remove) ~= "boolean" then shared.bad_type(2, "boolean", remove) end
    check(prim.set_file(path, remove or false))
end

function req.init_body(...)
    local count = select("#", ...)
    counted(count, 0, 1, "0 or 1 argument")
    check_read()
    local room
    if count == 1 then
        local size = ...
        room = shared.integer(1, size)
        if room < 0 then error("bad size argument: " .. shared.number(room), 2) end
    end
    check(prim.begin(room))
end

function req.append_body(...)
    counted(select("#", ...), 1, 1, "1 arguments")
    local text = ...
    text = shared.text(1, text)
    check(prim.append(text))
end

function req.finish_body(...)
    counted(select("#", ...), 0, 0, "0 argument")
    check(prim.finish())
end
