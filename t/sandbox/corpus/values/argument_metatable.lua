-- expect: ok
-- ways: api thread
-- args: metatable
-- says: nil nil
-- A host's metatable would bring the host's functions.
local t = ...
ngx.say(tostring(getmetatable(t)), " ", tostring(t.secret))
