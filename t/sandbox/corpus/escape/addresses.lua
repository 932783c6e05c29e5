-- expect: ok
-- Addresses tell where the host keeps things; corpus.t looks whether a number that is said here is one.
local shown = { tostring({}), tostring(function() end), tostring(coroutine.create(function() end)), tostring(ngx.say), tostring(pcall), tostring(_G), tostring(ngx) }
for _, value in ipairs { {}, function() end, coroutine.create(function() end), pcall, "x", ngx.say } do
    local ok, text = pcall(string.format, "%p", value)
    if ok then shown[#shown + 1] = text end
    ok, text = pcall(string.format, "%s", value)
    if ok then shown[#shown + 1] = text end
end
ngx.say(table.concat(shown, "\n"))
