-- expect: ok
-- ways: file api thread
-- says: false
local any = false
for _, value in ipairs { 0, 1, 2, -1, true, "limit", "exit", "cpu", {}, function() end, coroutine.create(function() end), ngx.say } do
    any = any or pcall(coroutine.yield, value) or pcall(coroutine.yield, value, value, value)
end
ngx.say(any)
