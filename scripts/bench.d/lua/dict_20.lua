-- Sets 20 keys of a shared dictionary and reads them: row dict-20.
local dict = ngx.shared.bench
local read = 0

for i = 1, 20 do
    local key = "key:" .. i
    dict:set(key, "value " .. i)
    if dict:get(key) then read = read + 1 end
end

ngx.say(read)
