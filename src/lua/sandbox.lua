-- hotlua.sandbox
local prim, ngx, shared = ...

local type, select, setmetatable, error = type, select, setmetatable, error
local bad_type, bad_argument = shared.bad_type, shared.bad_argument
local hotlua = package.loaded.hotlua

-- What a sandbox and a script stand for, hidden from who holds them.
local profiles = setmetatable({}, { __mode = "k" })
local scripts = setmetatable({}, { __mode = "k" })

local Sandbox, Script = {}, {}
Sandbox.__index, Script.__index = Sandbox, Script

function hotlua.sandbox(name)
    if type(name) ~= "string" then bad_type(1, "string", name) end
    local profile, known = prim.profile(name)
    if not profile then bad_argument(1, "unknown sandbox profile \"" .. name .. "\", " .. known) end
    local sandbox = setmetatable({}, Sandbox)
    profiles[sandbox] = profile
    return sandbox
end

function Sandbox:load(source, name)
    local profile = profiles[self]
    if not profile then error("bad self: call sandbox:load(source, name)", 2) end
    if type(source) ~= "string" then bad_type(1, "string", source) end
    if name ~= nil and type(name) ~= "string" then bad_type(2, "string", name) end
    local loaded, message = prim.load(profile, source, name or "script")
    if not loaded then return nil, message end
    local script = setmetatable({}, Script)
    scripts[script] = loaded
    return script
end

function Script:run(...)
    local loaded = scripts[self]
    if not loaded then error("bad self: call script:run(...)", 2) end
    local run, message = prim.begin(loaded, ...)
    if not run then return nil, message, "error" end
    while true do
        local operation = prim.advance(run)
        if not operation then return prim.outcome(run) end
        shared.wait(operation)
    end
end
