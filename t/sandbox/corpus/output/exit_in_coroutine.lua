-- expect: ok
-- ways: file
-- status: 403
-- Whoever exits, the whole run ends.
coroutine.wrap(function()
    pcall(function() table.sort({ 3, 2, 1 }, function() ngx.exit(403) end) end)
end)()
while true do end
