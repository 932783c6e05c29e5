-- expect: time
-- profile: patient
while true do os.date("%c %x %X %p %A %B") end
