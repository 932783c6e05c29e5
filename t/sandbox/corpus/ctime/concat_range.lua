-- expect: ok
-- says: false false true
-- Ranges that are no range of the table.
pcall(table.concat, {}, "", 1, 2 ^ 53)
pcall(table.concat, {}, "", 0 / 0, 1 / 0)
ngx.say((pcall(table.concat, {}, "", 1, 2 ^ 31 - 1)), " ", (pcall(table.concat, {}, "", -2 ^ 31, 2 ^ 31 - 1)), " ", (pcall(table.concat, {}, "", 2, 1)))
