-- ngx.exec, ngx.redirect
local prim, ngx, shared = ...

local error, select, tonumber, type = error, select, tonumber, type
local byte, find, format, gsub, match, sub = ("").byte, ("").find, ("").format, ("").gsub, ("").match, ("").sub
local OUTPUT = shared.phases.output

function ngx.exec(uri, args, ...)
    local count = select("#", ...) + (args ~= nil and 2 or 1)
    if count > 2 then error("expecting one or two arguments, but got " .. count, 2) end
    uri = shared.text(1, uri)
    shared.check_phase(OUTPUT)
    if uri == "" then error("The uri argument is empty", 2) end
    local kind = type(args)
    if kind == "table" then
        args = ngx.encode_args(args)
    elseif kind == "number" then
        args = shared.number(args)
    elseif kind == "nil" then
        args = ""
    elseif kind ~= "string" then
        shared.bad_argument(2, "string, number, or table expected, but got " .. kind)
    end
    if sub(uri, 1, 1) == "@" then uri = match(uri, "^[^?]*") end
    shared.check_pending()
    local refused = prim.exec(uri, args)
    if refused then error(refused, 2) end
    return shared.exit(ngx.DONE)
end

local STATUSES = { [301] = true, [302] = true, [303] = true, [307] = true, [308] = true }

local function escaped(char)
    return format("\\x%02X", byte(char))
end

function ngx.redirect(uri, status)
    uri = shared.text(1, uri)
    if status == nil then
        status = ngx.HTTP_MOVED_TEMPORARILY
    else
        status = shared.integer(2, status)
        if not STATUSES[status] then
            error("only ngx.HTTP_MOVED_TEMPORARILY, ngx.HTTP_MOVED_PERMANENTLY, ngx.HTTP_PERMANENT_REDIRECT, "
                .. "ngx.HTTP_SEE_OTHER, and ngx.HTTP_TEMPORARY_REDIRECT are allowed", 2)
        end
    end
    shared.check_phase(OUTPUT)
    local at = find(uri, "[%c]")
    if at then
        error(format('unsafe byte "0x%02x" in redirect uri "%s"', byte(uri, at), gsub(uri, '[%c"\\\127-\255]', escaped)), 2)
    end
    shared.check_pending()
    if ngx.headers_sent then error("attempt to call ngx.redirect after sending out the headers", 2) end
    ngx.header.Location = uri
    return shared.exit(status)
end
