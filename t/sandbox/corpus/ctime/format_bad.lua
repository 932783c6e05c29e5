-- expect: ok
-- says: false false false false false
local function try(...) return (pcall(string.format, ...)) end
ngx.say(try("%100d", 1), " ", try("%.100f", 1), " ", try("%1000000000s", "x"), " ", try("%"), " ", try("%y", 1))
