-- expect: time
-- profile: patient
-- Instructions enough for seconds: the clock has to end it.
while true do end
