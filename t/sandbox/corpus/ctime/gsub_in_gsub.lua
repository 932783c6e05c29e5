-- expect: error
-- Each level is a call of C within C in stock LuaJIT, which ends with a crash.
local depth = 0
local function again(c)
    depth = depth + 1
    return (c:gsub(".", again))
end
ngx.say(again("x"))
