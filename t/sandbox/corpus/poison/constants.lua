-- expect: ok
-- says: fine
math.pi, math.huge, _VERSION, _G._G = 3, 1, "poison", {}
ngx.say("fine")
