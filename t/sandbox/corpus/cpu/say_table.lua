-- expect: cpu
-- Values that output reads: raw ones, or it would call the script.
ngx.say(setmetatable({}, { __index = function() while true do end end, __len = function() return 1e9 end }))
while true do end
