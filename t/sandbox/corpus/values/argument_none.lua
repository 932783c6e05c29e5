-- expect: ok
-- ways: api thread
-- says: 0
ngx.say(select("#", ...))
