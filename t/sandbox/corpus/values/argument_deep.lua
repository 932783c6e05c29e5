-- expect: error|raised
-- ways: api thread
-- args: deep
ngx.say("LEAK")
