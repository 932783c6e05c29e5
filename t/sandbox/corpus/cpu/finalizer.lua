-- expect: ok
-- says: fine
-- A table's __gc is never called: a finalizer would run after the script's end, outside of its limits.
for _ = 1, 1000 do
    setmetatable({}, { __gc = function() while true do end end })
end
ngx.say("fine")
