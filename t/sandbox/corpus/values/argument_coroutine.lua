-- expect: error|raised
-- ways: api thread
-- args: coroutine
ngx.say("LEAK", type(...))
