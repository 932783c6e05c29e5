-- expect: error
-- ways: file
ngx.status = 99999
ngx.say("fine")
