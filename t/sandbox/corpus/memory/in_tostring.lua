-- expect: memory
return tostring(setmetatable({}, { __tostring = function()
    local t = {}
    while true do t = { t } end
end }))
