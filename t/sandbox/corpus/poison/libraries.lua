-- expect: ok
-- says: fine
-- Each function of each library replaced.
local say = ngx.say
for _, library in ipairs { "string", "table", "math", "coroutine", "bit", "os" } do
    for name in pairs(_G[library]) do _G[library][name] = function() return "poison" end end
end
say("fine")
