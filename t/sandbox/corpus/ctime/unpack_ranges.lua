-- expect: ok
-- says: false false false false 0
local function try(...) return (pcall(unpack, ...)) end
ngx.say(try({}, 0, 2147483647), " ", try({}, -2147483648, 2147483647), " ", try({}, 1, 1e7), " ", try({}, -2 ^ 31, 0), " ",
    select("#", unpack({}, 2147483647, -2147483648)))
