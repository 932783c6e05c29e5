-- expect: ok
-- says: true nil true 1
-- Searches that are long enough to be paused still answer as short ones do.
local s = ("a"):rep(150)
local ok, found = pcall(string.find, s, "a-a-b")
local again, from = coroutine.resume(coroutine.create(string.find), s .. "b", "a-a-b")
ngx.say(tostring(ok), " ", tostring(found), " ", tostring(again), " ", tostring(from))
