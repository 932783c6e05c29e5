-- expect: cpu
-- Recursion of the matcher: each single item of a lazy pattern is a level in C.
local s = ("a"):rep(200000)
pcall(string.match, s, ("a?"):rep(20000) .. "b")
pcall(string.match, s, "(.-)%1%1%1b")
