-- expect: ok
-- Literals that make C data without the ffi library.
local a, b = 1LL, 2ULL
local c = 3i
local shown = { type(a), tostring(getmetatable(a)), tostring(pcall(function() return a.x end)), tostring(pcall(function() return c.re, c.im end)) }
pcall(function() c.re = 1 end)
pcall(function() return a() end)
pcall(function() for _ in a do end end)
pcall(setmetatable, a, {})
pcall(function() return a + b * c end)
pcall(function() return a / 0LL, -0x8000000000000000LL / -1LL, a % 0LL, 2LL ^ 1000000 end)
pcall(string.format, "%d %x %s %p", a, a, a, a)
pcall(string.rep, "x", a)
pcall(bit.band, a, b)
pcall(ngx.say, a)
pcall(next, {}, a)
pcall(error, a)
