-- expect: ok
-- says: 1
-- A global does not live from run to run.
counter = (counter or 0) + 1
ngx.say(counter)
