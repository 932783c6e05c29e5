-- expect: ok
-- expect@api: error
return { [function() end] = 1 }
