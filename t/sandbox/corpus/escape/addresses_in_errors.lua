-- expect: ok
local shown = {}
local function try(f, ...)
    local _, err = pcall(f, ...)
    shown[#shown + 1] = tostring(err)
end
try(error, {})
try(error, function() end)
try(function() local t = {} t[{}]() end)
try(function() return {} < {} end)
try(function() return {} .. "" end)
try(ngx.say, function() end)
try(setmetatable, {}, function() end)
try(string.rep, {})
try(string.format, "%d", {})
try(next, {}, {})
ngx.say(table.concat(shown, "\n"))
