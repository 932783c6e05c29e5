-- Spawns 1,000 light threads that yield once, and waits for each: row threads-1000.
local spawn, wait, yield = ngx.thread.spawn, ngx.thread.wait, coroutine.yield
local threads, sum = {}, 0

local function body(number)
    yield()
    return number
end

for i = 1, 1000 do
    threads[i] = spawn(body, i)
end
for i = 1, 1000 do
    local _, number = wait(threads[i])
    sum = sum + number
end

ngx.say(sum)
