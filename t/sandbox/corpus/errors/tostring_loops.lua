-- expect: error
-- The host that reads an error must not run the script again, or only within the limits.
error(setmetatable({}, { __tostring = function() while true do end end }))
