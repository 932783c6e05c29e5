-- expect: memory
local t = {}
table.sort({ 3, 1, 2 }, function()
    while true do t = { t } end
end)
