-- ngx.sleep
local prim, ngx, shared = ...

local tonumber, type, error = tonumber, type, error

function ngx.sleep(seconds)
    local number = tonumber(seconds)
    if not number then
        error("bad argument #1 to 'sleep' (number expected, got " .. (seconds == nil and "nil" or type(seconds)) .. ")", 2)
    end
    if number < 0 then error("invalid sleep duration \"" .. number .. "\"", 2) end
    shared.wait(prim.sleep(number) or shared.disabled(2))
end
