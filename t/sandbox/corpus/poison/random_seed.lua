-- expect: ok
-- says: fine
-- The next run's numbers must not be told by this one.
math.randomseed(42)
ngx.say("fine")
