-- expect: ok|error|raised|memory
-- ways: api thread
-- args: many
local n = select("#", ...)
