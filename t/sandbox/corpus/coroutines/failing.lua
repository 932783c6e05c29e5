-- expect: cpu
while true do pcall(coroutine.wrap(error)) end
