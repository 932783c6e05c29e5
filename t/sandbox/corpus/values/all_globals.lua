-- expect: ok
-- expect@api: error
return _G
