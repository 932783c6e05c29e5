-- expect: ok
-- From within what is C elsewhere, to a coroutine of its own.
local co = coroutine.wrap(function()
    pcall(table.sort, { 3, 2, 1 }, function(a, b) coroutine.yield("sort") return a < b end)
    pcall(string.gsub, "x", ".", function() coroutine.yield("gsub") end)
    pcall(tostring, setmetatable({}, { __tostring = function() coroutine.yield("tostring") return "x" end }))
    xpcall(error, function() coroutine.yield("handler") end)
    for _ in function() return coroutine.yield("iterator") end do end
    return "end"
end)
for _ = 1, 30 do
    if co() == "end" then break end
end
