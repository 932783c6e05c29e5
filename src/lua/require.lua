-- require: Lua's own, but modules come from the running generation, a failed one leaves nothing behind, a module may
-- yield while it loads, and who requires whom is recorded.
local prim, ngx, shared = ...

local package, error, setmetatable, type, tostring, xpcall = package, error, setmetatable, type, tostring, xpcall
local getinfo, interpret, running = debug.getinfo, jit.off, coroutine.running
local find, record = prim.find, prim.record

-- What package.loaded holds while a module loads. No table: module(...) would take it for the module's own.
local loading = newproxy(false)
shared.loading = loading
-- File of a module's source → its name, so that the requirer can be told by the function that calls.
local module_of_source = {}
shared.module_of_source = module_of_source
-- Coroutine → the name of the module that it loads; MAIN stands for the main one.
local loads, MAIN = setmetatable({}, { __mode = "k" }), {}

-- The module that loads, where the Lua that runs is loading one.
function shared.loading_module()
    return loads[running() or MAIN]
end
-- The running generation's; the VM changes it with the generation.
shared.loaded = package.loaded

-- Lua's second loader looks for a file; ours looks where the generation says.
package.loaders[2] = function(name)
    local chunk, file = find(name, package.path)
    if chunk then
        module_of_source["@" .. file] = name
        -- A main chunk runs once: traces of it would be garbage that LuaJIT never collects. Its functions compile.
        interpret(chunk)
        return chunk
    end
    if chunk == false then error(file, 0) end
    return file
end

local function load(name)
    local tried = ""
    for _, loader in ipairs(package.loaders) do
        local chunk = loader(name)
        if type(chunk) == "function" then return chunk end
        if type(chunk) == "string" then tried = tried .. chunk end
    end
    error("module '" .. name .. "' not found:" .. tried, 3)
end

function require(name)
    local loaded = shared.loaded
    local module = loaded[name]
    if module ~= nil and module ~= false and module ~= loading then return module end
    if type(name) ~= "string" then
        if type(name) ~= "number" then
            error("bad argument #1 to 'require' (string expected, got " .. (name == nil and "no value" or type(name)) .. ")", 2)
        end
        name = tostring(name)
    end
    if module == loading then error("loop or previous error loading module '" .. name .. "'", 2) end

    local caller = getinfo(2, "S")
    local chunk = load(name)
    if caller then
        local source = caller.source
        record(module_of_source[source], source:sub(1, 1) == "@" and source:sub(2) or nil, name)
    end
    loaded[name] = loading
    local own = running() or MAIN
    local outer = loads[own]
    loads[own] = name
    local ok, result = xpcall(chunk, shared.failed, name)
    loads[own] = outer
    if not ok then
        loaded[name] = nil
        error(result, 0)
    end
    if result ~= nil then
        loaded[name] = result
    elseif loaded[name] == loading then
        loaded[name] = true
    end
    return loaded[name]
end

shared.require = require
