-- expect: ok
-- says: fine
-- What the collector finds later.
cache = setmetatable({}, { __mode = "kv", __gc = function() stray = "poison" end })
for i = 1, 1000 do cache[{}] = setmetatable({}, { __gc = function() ngx.say("LEAK") end }) end
ngx.say("fine")
