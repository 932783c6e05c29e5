-- Row sandbox-200: calls of a library and nothing else.
for _ = 1, 200 do math.random() end
ngx.say("done")
