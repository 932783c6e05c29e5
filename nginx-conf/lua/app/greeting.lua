-- A module: loaded once in each worker, shared by all requests.
local greeting = {}

function greeting.to(name)
    return "Hello, " .. name
end

return greeting
