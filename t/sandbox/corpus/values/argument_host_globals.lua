-- expect: error|raised
-- ways: api thread
-- args: globals
ngx.say("LEAK", type(...))
