-- expect: time
-- profile: patient
while true do pcall(error) end
