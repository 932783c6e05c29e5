-- expect: ok
-- says: fine
-- Changes through the raw functions stay in the run.
rawset(_G, "x", 1)
rawset(string, "rep", nil)
rawset(ngx, "say", rawget(ngx, "say") or ngx.say)
ngx.say("fine")
