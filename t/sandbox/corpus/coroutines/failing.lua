-- expect: cpu|time|memory
while true do pcall(coroutine.wrap(error)) end
