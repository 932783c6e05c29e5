-- expect: error
-- ways: api thread
-- args: cycle
local t = ...
for _ = 1, 1000 do t = t.t end
