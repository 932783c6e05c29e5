-- expect: ok
-- says: false false false false
-- A pattern whose mistake is found after hundreds of thousands of steps is an error that is caught where it belongs.
local s, p = ("a"):rep(60) .. "cb", "a-a-b["
ngx.say((pcall(string.find, s, p)), " ", (pcall(string.match, s, p)), " ", (pcall(string.gsub, s, p, "")), " ", (pcall(s.gmatch(s, p))))
