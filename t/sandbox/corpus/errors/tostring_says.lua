-- expect: error
error(setmetatable({}, { __tostring = function() ngx.say("LEAK") ngx.exit(200) return "x" end }))
