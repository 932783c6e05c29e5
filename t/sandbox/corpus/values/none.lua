-- expect: ok
-- returns:
return
