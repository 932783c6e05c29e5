-- expect: error
-- ways: api thread
-- args: laughs
local t = ...
