-- Lua called from C, which no hook can leave by yielding.
string.rep("x", 1e5):gsub(".", function() for _ = 1, 1e6 do end end)
