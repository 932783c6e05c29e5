-- expect: ok
-- says: fine
-- What is behind a library leads nowhere.
local seen = {}
local function walk(value, path)
    if type(value) ~= "table" or seen[value] then return end
    seen[value] = true
    local mt = getmetatable(value)
    if type(mt) == "table" then walk(mt, path .. "<mt>") end
    for k, v in next, value do
        if type(v) == "userdata" or type(v) == "cdata" or type(v) == "thread" then ngx.say(path, ".", tostring(k), " is ", type(v)) end
        for _, bad in ipairs { "load", "loadstring", "require", "getfenv", "setfenv", "debug", "io", "ffi", "jit", "dump", "execute", "_LOADED" } do
            if k == bad then ngx.say("LEAK ", path, ".", k) end
        end
        walk(v, path .. "." .. tostring(k))
        walk(k, path .. "<key>")
    end
end
walk(_G, "_G")
ngx.say("fine")
