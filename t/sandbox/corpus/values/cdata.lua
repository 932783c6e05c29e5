-- expect: ok
-- expect@api: error
return 1LL
