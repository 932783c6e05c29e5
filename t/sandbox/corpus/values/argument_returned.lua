-- expect: ok
-- ways: api thread
-- args: plain
-- returns: 1, "x", nil, true, {list = {1 = {a = "b"}}}
return ...
