-- expect: ok
-- ways: api thread
-- args: plain
-- says: XX
-- A string of the host has the methods of the sandbox.
local _, s = ...
function string.reverse() return "mine" end
ngx.say(s:upper():rep(2))
