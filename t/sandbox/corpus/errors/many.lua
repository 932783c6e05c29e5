-- expect: ok
-- says: fine
for i = 1, 2000 do
    pcall(error, { i })
    pcall(error, "x" .. i)
    pcall(function() local t = nil; return t.x end)
end
ngx.say("fine")
