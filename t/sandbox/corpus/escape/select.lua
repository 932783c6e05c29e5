-- expect: ok
-- says: false false false
ngx.say((pcall(select, 0)), " ", (pcall(select, -2, 1)), " ", (pcall(select, -2 ^ 31, 1)))
pcall(select, 2 ^ 31 - 1, 1)
pcall(select, 1e300, 1)
