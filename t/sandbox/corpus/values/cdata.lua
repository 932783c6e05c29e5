-- expect: ok|error
-- expect@api: error
return 1LL
