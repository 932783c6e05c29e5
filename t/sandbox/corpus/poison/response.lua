-- expect: ok
-- ways: file
-- status: 201
-- says: fine
ngx.status = 201
ngx.header["X-Poison"] = "yes"
ngx.say("fine")
