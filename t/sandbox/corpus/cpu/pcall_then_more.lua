-- expect: cpu
-- What comes after the limit must not run, wherever it stands.
local ok, err = pcall(function() while true do end end)
ngx.say("LEAK: went on after the limit: ", tostring(ok), tostring(err))
ngx.header["X-Leak"] = "LEAK"
