-- expect: memory
-- Weak tables that keep the collector busy and still fill the memory.
local t = setmetatable({}, { __mode = "k" })
local kept = {}
for i = 1, 1e9 do
    local key = {}
    t[key] = { key }
    kept[i % 20000] = key
end
