-- expect: time
-- profile: patient
while true do ("%99.99f%99.99f%.99g%a"):format(1e308, -1e308, 5e-324, 0.1) end
