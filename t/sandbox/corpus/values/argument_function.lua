-- expect: error|raised
-- ways: api thread
-- args: func
ngx.say("LEAK", type(...))
