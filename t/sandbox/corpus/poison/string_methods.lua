-- expect: ok
-- says: poison
-- Methods are those of the run's own library, changes included.
function string.upper() return "poison" end
ngx.say(("x"):upper())
