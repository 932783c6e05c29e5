-- expect: error
-- Output calls no metamethod.
ngx.say(setmetatable({ a = 1 }, { __tostring = function() return "LEAK" end, __len = function() return 1 end }))
