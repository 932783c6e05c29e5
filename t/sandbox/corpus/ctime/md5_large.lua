-- expect: cpu
-- What a function reads counts, however little it makes.
local s = ("x"):rep(1000000)
while true do ngx.md5(s) end
