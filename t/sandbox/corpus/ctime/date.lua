-- expect: cpu|time
while true do os.date("%c %x %X %p %A %B") end
