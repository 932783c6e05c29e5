-- expect: ok
-- says: false false
ngx.say((pcall(string.match, "x", ("("):rep(40) .. "x" .. (")"):rep(40))), " ", (pcall(string.find, "x", "%1")))
