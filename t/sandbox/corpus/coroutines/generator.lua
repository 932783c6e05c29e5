-- expect: cpu
local function numbers()
    return coroutine.wrap(function()
        local n = 0
        while true do
            n = n + 1
            coroutine.yield(n)
        end
    end)
end
for n in numbers() do if n < 0 then break end end
