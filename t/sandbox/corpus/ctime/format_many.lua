-- expect: error
-- message: too many arguments to 'format'
local numbers = {}
for i = 1, 7000 do numbers[i] = 1.7e308 end
ngx.say(#string.format(("%99.99f"):rep(7000), unpack(numbers)))
