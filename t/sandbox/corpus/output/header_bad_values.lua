-- expect: error
-- ways: file
local cycle = {}
cycle[1] = cycle
for _, value in ipairs { cycle, function() end, coroutine.create(function() end), { {} }, 0 / 0, true } do
    pcall(function() ngx.header["X-A"] = value end)
    pcall(function() ngx.header[value] = "x" end)
end
ngx.header["X-A"] = nil
