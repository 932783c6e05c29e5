-- ndk.set_var.DIRECTIVE(text), where ndk_http_module is loaded
local prim, _, shared = ...

local error, setmetatable, tostring, type = error, setmetatable, tostring, type
-- A timer has a request of its own where it has one at all.
local ALLOWED = shared.phases.request + shared.phases.timer

if not prim.loaded then return end

-- Directive → its function. Those that a configuration has stay as long as the VM.
local directives = {}

local function directive(name)
    return function(text)
        if type(text) ~= "string" then text = tostring(text) end
        shared.check_phase(ALLOWED)
        local ok, value = prim.call(name, text)
        if not ok then error("calling directive " .. name .. " failed with code " .. value, 0) end
        return value
    end
end

local function find(_, name)
    local known = directives[name]
    if known then return known end
    name = tostring(name)
    if not prim.find(name) then
        error('ndk.set_var: directive "' .. name .. '" not found or does not use ndk_set_var_value', 2)
    end
    known = directive(name)
    directives[name] = known
    return known
end

ndk = { set_var = setmetatable({}, { __index = find, __newindex = function() error("not allowed", 2) end }) }
package.loaded.ndk = ndk
