-- expect: ok
-- expect@api: error
return coroutine.create(function() end)
