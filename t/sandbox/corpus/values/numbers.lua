-- expect: ok
-- returns: nan, inf, -inf, 9007199254740992, 0.1
return 0 / 0, 1 / 0, -1 / 0, 2 ^ 53, 0.1
