-- expect: ok
-- says: fine
for _, time in ipairs { 2 ^ 31, 2 ^ 40, 2 ^ 53, 2 ^ 63, 2 ^ 64, 1e300, -1, -2 ^ 53, -1e300, 1 / 0, -1 / 0, 0 / 0 } do
    pcall(os.date, "*t", time)
    pcall(os.date, "!%c", time)
end
for _, part in ipairs { 2 ^ 31, -2 ^ 31, 2 ^ 53, 1e300, 0 / 0, 1 / 0 } do
    pcall(os.time, { year = part, month = part, day = part, hour = part, min = part, sec = part })
    pcall(os.time, { year = 2000, month = part, day = 1 })
end
ngx.say("fine")
