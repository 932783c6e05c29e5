-- expect: ok
-- ways: file
-- says: fine
ngx.say("fine")
ngx.exit(200)
ngx.say("LEAK")
