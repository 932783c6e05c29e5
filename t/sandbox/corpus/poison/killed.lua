-- expect: cpu
-- A run that is ended in the middle leaves no more behind than one that ends well.
string.rep, stray, math.random = nil, "poison", function() return 0.5 end
setmetatable(_G, { __index = function() return "poison" end })
ngx.status = 201
ngx.header["X-Leak"] = "LEAK"
ngx.say("LEAK")
while true do end
