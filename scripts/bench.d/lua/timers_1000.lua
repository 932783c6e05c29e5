-- Has 1,000 timers run at once, and waits until the last one has: row timers-1000.
local semaphore = require("ngx.semaphore").new()
local at, ran = ngx.timer.at, 0

local function run()
    ran = ran + 1
    if ran == 1000 then semaphore:post() end
end

for _ = 1, 1000 do
    at(0, run)
end
semaphore:wait(10)

ngx.say(ran)
