-- expect: ok
-- says: true 7000
-- pcall that calls itself: LuaJIT's own writes behind the end of its stack.
local function many(count, last)
    local functions = {}
    for i = 1, count do functions[i] = pcall end
    functions[count + 1] = last
    return functions
end
local ran = 0
for _, count in ipairs { 50, 100, 1000, 7000 } do
    if pcall(unpack(many(count, function() ran = count end))) then ran = ran + 0 end
end
ngx.say(tostring(pcall(pcall, pcall)), " ", ran)
