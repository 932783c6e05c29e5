-- require "hotlua"
local prim, ngx, shared = ...

local type, pairs, select, next = type, pairs, select, next
local getinfo, module_of_source = debug.getinfo, shared.module_of_source
local bad_argument, bad_type = shared.bad_argument, shared.bad_type

local hotlua = {}
package.loaded.hotlua = hotlua
-- So that it is found again by a script that empties package.loaded.
function package.preload.hotlua() return hotlua end

hotlua.generation = prim.generation

-- What outlives generations, by key.
local states = {}

function hotlua.state(key, init)
    if key == nil or key ~= key then
        bad_argument(1, "key expected, got " .. (key == nil and "nil" or "NaN"))
    end
    local value = states[key]
    if value ~= nil or init == nil then return value end
    if type(init) ~= "function" then bad_type(2, "function", init) end
    value = init()
    -- init may have waited, and another request have made it meanwhile.
    if states[key] == nil then states[key] = value end
    return states[key]
end

function hotlua.on_retire(callback)
    if type(callback) ~= "function" then bad_type(1, "function", callback) end
    local caller = getinfo(2, "S")
    prim.on_retire(caller and module_of_source[caller.source], callback)
end

-- Waits for a change: generation; or nil, the error.
local function waited(operation)
    shared.wait(operation)
    return prim.outcome(operation)
end

function hotlua.invalidate(...)
    local count = select("#", ...)
    local names = { ... }
    if count == 0 then bad_type(1, "string", nil, 0) end
    for i = 1, count do
        if type(names[i]) ~= "string" then bad_type(i, "string", names[i], count) end
    end
    return waited(prim.invalidate(names) or shared.disabled(2))
end

function hotlua.publish(change)
    if type(change) ~= "table" then bad_type(1, "table", change) end
    local reason, files = change.reason, change.files
    if reason ~= nil and type(reason) ~= "string" then
        bad_argument(1, "string expected as 'reason', got " .. type(reason))
    end
    if type(files) ~= "table" then bad_argument(1, "table expected as 'files', got " .. type(files)) end
    if next(files) == nil then bad_argument(1, "at least one of 'files' expected") end
    for name, source in pairs(files) do
        if type(name) ~= "string" then
            bad_argument(1, "string expected as a name of 'files', got " .. type(name))
        end
        if type(source) ~= "string" and source ~= false then
            bad_argument(1, "string or false expected as file '" .. name .. "', got " .. type(source))
        end
    end
    local operation, message = prim.publish(reason, files)
    if message then return nil, message end
    return waited(operation or shared.disabled(2))
end
