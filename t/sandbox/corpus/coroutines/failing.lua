-- expect: cpu|time
while true do pcall(coroutine.wrap(error)) end
