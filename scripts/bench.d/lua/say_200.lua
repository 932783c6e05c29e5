-- Many small writes: row say-200.
for i = 1, 200 do
    ngx.say("line ", i)
end
