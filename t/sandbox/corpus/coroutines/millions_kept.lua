-- expect: memory
local kept
while true do
    local before = kept
    kept = coroutine.wrap(function() coroutine.yield() return before end)
    kept()
end
