-- expect: ok
-- expect@api: error
-- A function would run in the host, outside of every limit.
return function() while true do end end
