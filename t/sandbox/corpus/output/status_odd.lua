-- expect: ok
-- ways: file
for _, value in ipairs { 0, -1, 99, 100, 101, 1000, 65536 + 200, 2 ^ 31, 2 ^ 53, 0 / 0, "x", {}, true } do
    pcall(function() ngx.status = value end)
end
ngx.status = 200
ngx.say("fine")
