-- expect: ok
-- ways: api thread
-- args: many
local n = select("#", ...)
