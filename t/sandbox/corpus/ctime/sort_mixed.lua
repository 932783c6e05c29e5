-- expect: ok
-- says: false false
ngx.say((pcall(table.sort, { 1, "x", {}, true })), " ", (pcall(table.sort, { 1, 2, 3 }, 1)))
