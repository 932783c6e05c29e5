-- expect: ok
-- expect@api: error
return { { { x = ngx.say } } }
