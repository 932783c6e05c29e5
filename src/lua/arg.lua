-- ngx.arg
local prim, ngx, shared = ...

local error, select, setmetatable, type = error, select, setmetatable, type

local function read(_, place)
    if prim.is_set() then
        if type(place) ~= "number" then shared.bad_type(-1, "number", place) end
        return place >= 1 and prim.argument(place) or nil
    end
    if not prim.is_body_filter() then error("API disabled in the current context", 2) end
    if place == 1 then return prim.text() end
    if place == 2 then return prim.is_last() end
    return nil
end

local function write(_, place, value)
    if not prim.is_body_filter() then error("API disabled in the current context", 2) end
    if place == 1 then
        local text, wrong = shared.flatten(value == nil and "" or value)
        if not text then error("bad chunk data type: " .. wrong, 2) end
        prim.set_text(text)
    elseif place == 2 then
        prim.set_last(value and true or false)
    else
        error("bad argument #2 to ngx.arg: index " .. tostring(place) .. " is not writable", 2)
    end
end

ngx.arg = setmetatable({}, { __index = read, __newindex = write })
