-- expect: error
-- message: on purpose
string.sub, stray = nil, "poison"
ngx.say("LEAK")
ngx.header["X-Leak"] = "LEAK"
error("on purpose")
