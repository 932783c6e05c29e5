-- expect: ok
-- status: 403
-- ways: file
-- The run ends three coroutines deep: the next one must not begin there.
coroutine.wrap(function() coroutine.wrap(function() coroutine.wrap(function() ngx.exit(403) end)() end)() end)()
