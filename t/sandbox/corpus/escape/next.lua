-- expect: ok
-- says: false false false
ngx.say((pcall(next, {}, "gone")), " ", (pcall(next, { 1 }, 2 ^ 31)), " ", (pcall(next, {}, 0 / 0)))
