-- expect: cpu
-- Made, started and forgotten.
while true do
    local co = coroutine.create(coroutine.yield)
    coroutine.resume(co)
end
