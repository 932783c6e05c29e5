-- expect: ok
-- says: X
-- Methods are those of the library as it was: a run's own changes of it reach its calls by name only.
function string.upper() return "poison" end
ngx.say(("x"):upper())
