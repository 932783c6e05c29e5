-- Each resumes another, and all of them are thrown away.
local function deep(n)
    if n > 0 then return coroutine.wrap(deep)(n - 1) end
end
while true do pcall(deep, 150) end
