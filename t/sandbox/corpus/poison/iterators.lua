-- expect: ok
-- says: fine
local say = ngx.say
local real = next
function next(t, k)
    local key, value = real(t, k)
    return key, value ~= nil and "poison" or nil
end
function pairs(t) return next, t end
function ipairs() return function() end end
function type() return "poison" end
function tostring() return "poison" end
function pcall() return true, "poison" end
say("fine")
