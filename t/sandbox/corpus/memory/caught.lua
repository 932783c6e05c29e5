-- expect: memory
-- To catch the limit and to go on.
local ok, err = pcall(function()
    local t = {}
    while true do t[#t + 1] = ("x"):rep(1000) .. #t end
end)
ngx.say("LEAK: ", tostring(ok), tostring(err))
