-- expect: memory
local co = coroutine.create(function()
    local t = {}
    while true do t = { t } end
end)
ngx.say("LEAK: ", tostring(coroutine.resume(co)))
