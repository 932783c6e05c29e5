-- expect: cpu
-- A hook that belongs to one coroutine would never count the others.
while true do
    local co = coroutine.create(function()
        for _ = 1, 1000 do end
    end)
    coroutine.resume(co)
end
