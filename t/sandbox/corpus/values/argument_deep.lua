-- expect: error
-- ways: api thread
-- args: deep
ngx.say("LEAK")
