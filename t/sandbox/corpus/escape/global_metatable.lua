-- expect: ok
-- says: fine
local mt = getmetatable(_G)
local ok = mt == nil or type(mt) ~= "table" or mt.__index == nil or type(mt.__index) == "function" or mt.__index.load == nil
ngx.say(ok and "fine" or "LEAK")
