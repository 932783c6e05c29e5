-- expect: ok
-- says: 1 x
-- Tables that the chunk's bytecode keeps as templates.
local t = { 0, "x", { "x" } }
local function make() return { "x", n = 0 } end
local made = make()
made[1], made.n = made[1] .. "y", 5
t[1] = t[1] + 1
ngx.say(t[1], " ", make()[1])
