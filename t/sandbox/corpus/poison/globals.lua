-- expect: ok
-- says: fine
-- All globals gone, the script's own ones left.
local say, g = ngx.say, _G
local names = {}
for name in pairs(g) do names[#names + 1] = name end
for _, name in ipairs(names) do g[name] = nil end
stray, g[1], g[g] = "poison", "poison", "poison"
say("fine")
