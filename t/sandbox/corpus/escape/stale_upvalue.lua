-- expect: ok
-- says: 1 2 3
-- Closures that outlive the stack they point to.
local t = {}
for i = 1, 3 do
    local co = coroutine.wrap(function()
        local v = i
        coroutine.yield(function() return v end)
    end)
    t[i] = co()
end
local function fill(n) if n > 0 then return 1 + fill(n - 1) end return 0 end
fill(1000)
ngx.say(t[1](), " ", t[2](), " ", t[3]())
