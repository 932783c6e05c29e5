-- expect: cpu|memory|time
-- Made, started and forgotten.
while true do
    local co = coroutine.create(coroutine.yield)
    coroutine.resume(co)
end
