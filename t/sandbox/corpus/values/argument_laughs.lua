-- expect: error|raised
-- ways: api thread
-- args: laughs
local t = ...
