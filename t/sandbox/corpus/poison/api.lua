-- expect: ok
-- says: fine
local say = ngx.say
ngx.say, ngx.print, ngx.exit, ngx.time, ngx.md5 = error, error, error, error, error
ngx.req.get_method, ngx.req.get_headers = error, error
ngx.var, ngx.header = nil, nil
say("fine")
