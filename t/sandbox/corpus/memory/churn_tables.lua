-- expect: ok
-- profile: roomy
-- says: fine
local sum = 0
for i = 1, 200000 do
    local t = { i, i, i, { i } }
    sum = sum + #t
end
ngx.say(sum == 800000 and "fine")
