-- expect: error
-- message: on purpose
ngx.say("LEAK")
error("on purpose")
