-- expect: time
-- profile: patient
-- A thousand frames, each of which catches and goes on.
local function f(n)
    while true do
        if n < 1000 then pcall(f, n + 1) else pcall(error) end
    end
end
f(1)
