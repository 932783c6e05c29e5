-- expect: error
error(coroutine.create(function() end))
