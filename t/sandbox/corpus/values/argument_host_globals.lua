-- expect: error
-- ways: api thread
-- args: globals
ngx.say("LEAK", type(...))
