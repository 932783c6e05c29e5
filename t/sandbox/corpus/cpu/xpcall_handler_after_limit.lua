-- expect: cpu
-- The limit is no error: no handler may see it.
xpcall(function() while true do end end, function(err) ngx.say("LEAK: ", tostring(err)) end)
