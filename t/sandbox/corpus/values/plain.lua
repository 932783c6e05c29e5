-- expect: ok
-- returns: 1, "x", true, nil, false, {1 = 1, 2 = {a = "b"}}
return 1, "x", true, nil, false, { 1, { a = "b" } }
