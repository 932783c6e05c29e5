-- Lets the event loop have its turn 100 times: row sleep-100.
local sleep = ngx.sleep

for _ = 1, 100 do
    sleep(0)
end

ngx.say(100)
