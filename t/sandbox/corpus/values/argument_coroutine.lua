-- expect: error
-- ways: api thread
-- args: coroutine
ngx.say("LEAK", type(...))
