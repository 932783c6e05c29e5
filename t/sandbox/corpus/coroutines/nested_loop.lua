-- expect: cpu
-- The limit is hit within; nobody outside may go on.
local function nest(n)
    if n == 0 then while true do end end
    pcall(coroutine.wrap(nest), n - 1)
    ngx.say("LEAK")
    while true do end
end
nest(50)
