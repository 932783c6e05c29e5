-- expect: cpu
stray = "poison"
coroutine.wrap(function()
    string.format = nil
    pcall(function()
        table.sort({ 3, 2, 1 }, function() while true do end end)
    end)
end)()
