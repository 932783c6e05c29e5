-- expect: ok
-- says: false false assertion failed!
local _, err = pcall(assert, false)
ngx.say((pcall(assert)), " ", (pcall(assert, nil, {})), " ", err)
