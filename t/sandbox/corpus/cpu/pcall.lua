-- expect: cpu
-- An error that a hook raises is caught here, again and again.
while true do
    pcall(function() while true do end end)
end
