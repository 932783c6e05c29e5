-- expect: ok
-- ways: file
for _, value in ipairs { -1, "x", 2 ^ 63, 1e300, 0 / 0, "1, 2", {}, true } do
    pcall(function() ngx.header.content_length = value end)
end
ngx.header.content_length = nil
ngx.say("fine")
