-- expect: ok
-- says: false false
local function try(...)
    local ok, result = pcall(xpcall, error, ...)
    return ok and result
end
ngx.say(try(), " ", try({}))
