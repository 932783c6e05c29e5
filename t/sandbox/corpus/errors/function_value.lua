-- expect: error
error(function() while true do end end)
