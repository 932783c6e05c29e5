-- expect: ok
-- says: false
local depth = 0
local function handler(err)
    depth = depth + 1
    if depth < 100 then error(err) end
    return depth
end
ngx.say((xpcall(error, handler)))
