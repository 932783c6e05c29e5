-- expect: ok
-- says: false
ngx.say((xpcall(error, function() error("again") end)))
