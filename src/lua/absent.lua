-- What is not here yet. Libraries look functions up as they load, so each is there and tells so when it is called; a
-- module of lua-resty-core that lies on the disk would load, and fail at its first call of C.
local prim, ngx, shared = ...

local preload, error = package.preload, error

local function failing(name)
    return function() return nil, name .. " is not supported" end
end

for name, functions in pairs {
    socket = { "tcp", "udp", "stream", "connect" },
} do
    ngx[name] = ngx[name] or {}
    for _, field in ipairs(functions) do
        ngx[name][field] = ngx[name][field] or failing("ngx." .. name .. "." .. field)
    end
end

for _, name in ipairs {
    "ngx.balancer", "ngx.ocsp", "ngx.re", "ngx.req", "ngx.resp", "ngx.ssl",
    "ngx.ssl.clienthello", "ngx.ssl.session",
} do
    preload[name] = preload[name] or function() error("module '" .. name .. "' is not supported", 3) end
end
