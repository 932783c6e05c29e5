-- expect: ok
-- says: false table
local object = {}
local ok, err = pcall(coroutine.wrap(function() error(object) end))
ngx.say(ok, " ", err == object and "table" or tostring(err))
