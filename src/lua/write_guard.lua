-- Warns of globals that a request sets first: the workers' other requests see them too.
local prim, ngx, shared = ...

local rawset, tostring, traceback = rawset, tostring, debug.traceback

local WARNING = "[lua] _G write guard: writing a global Lua variable ('%s') which may lead to race conditions " ..
    "between concurrent requests, so prefer the use of 'local' variables"

-- Where the caller's caller stands. The Lua of a filter stands above the Lua that sends, which is not shown.
local function frames()
    local text = traceback("", 3)
    local _, last = text:find("\n\t[%w_]+_by_lua%b():%d+: in main chunk")
    return text:sub(1, last)
end

setmetatable(_G, {
    __newindex = function(globals, name, value)
        if prim.guards() then shared.log(ngx.WARN, WARNING:format(tostring(name)) .. frames()) end
        rawset(globals, name, value)
    end,
})
