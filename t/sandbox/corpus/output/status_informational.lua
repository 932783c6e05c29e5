-- expect: error
-- ways: file
ngx.status = 101
ngx.say("fine")
