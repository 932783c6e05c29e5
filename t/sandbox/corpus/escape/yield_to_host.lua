-- expect: error
-- ways: file api thread
-- message: yield
-- What the script yields must not be taken for the host's own yields.
coroutine.yield()
ngx.say("LEAK")
