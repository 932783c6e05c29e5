-- expect: error
-- ways: api thread
-- args: userdata
-- says: nil
-- ngx.null has its equal here or is refused.
local v = ...
ngx.say(tostring(v) == "LEAK" and "LEAK" or "nil")
