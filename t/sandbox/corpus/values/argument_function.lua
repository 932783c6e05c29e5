-- expect: error
-- ways: api thread
-- args: func
ngx.say("LEAK", type(...))
