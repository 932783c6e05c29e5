-- expect: error
-- message: dump
return ("").dump(function() end)
