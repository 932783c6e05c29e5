-- expect: ok
-- ways: api thread
-- args: shared
-- says: fine
-- The host's table stays as it is: corpus.t compares.
local t = ...
t.x, t.list[1], t.list[2] = "poison", "poison", nil
setmetatable(t, { __index = function() return "poison" end })
setmetatable(t.list, { __newindex = error })
ngx.say("fine")
