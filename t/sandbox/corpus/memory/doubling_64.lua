-- expect: memory
-- 2^64 bytes: lengths must not wrap.
local s = "."
for _ = 1, 64 do s = s .. s end
ngx.say("LEAK: ", #s)
