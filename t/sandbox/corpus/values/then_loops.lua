-- expect: cpu
-- A limit within the expressions that are returned.
return 1, (function() while true do end end)()
