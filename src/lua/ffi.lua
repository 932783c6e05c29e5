-- The ffi library for modules that are loaded more than once: what they defined before is not defined again, a type
-- takes the methods of the generation that runs, and a library stays loaded.
local prim, ngx, shared = ...

local ffi = require "ffi"
local type, pcall, error, select, tonumber, pairs = type, pcall, error, select, tonumber, pairs
local find, sub, gsub, byte, match = string.find, string.sub, string.gsub, string.byte, string.match
local cdef, metatype, load, typeof = ffi.cdef, ffi.metatype, ffi.load, ffi.typeof

-- Declarations that the VM has, by their text with its white space folded.
local declared = {}

-- Calls `take` with each top-level declaration of a C text: what stands between semicolons outside of any bracket.
local function each_declaration(text, take)
    text = gsub(gsub(text, "/%*.-%*/", " "), "//[^\n]*", " ")
    local start, at, depth = 1, 1, 0
    while true do
        at = find(text, "[{}%(%)%[%];\"'#]", at)
        if not at then break end
        local char = sub(text, at, at)
        if char == "{" or char == "(" or char == "[" then
            depth = depth + 1
        elseif char == "}" or char == ")" or char == "]" then
            depth = depth - 1
        elseif char == "\"" or char == "'" then
            repeat
                at = find(text, "[\\" .. char .. "]", at + 1)
                local escape = at and sub(text, at, at) == "\\"
                if escape then at = at + 1 end
            until not escape
            if not at then break end
        elseif char == "#" then
            -- A pragma holds for what follows: such a text is taken whole.
            return false
        elseif depth == 0 then
            take(sub(text, start, at))
            start = at + 1
        end
        at = at + 1
    end
    if find(text, "%S", start) then take(sub(text, start)) end
    return true
end

local function define(text, level)
    local key = match(gsub(text, "%s+", " "), "^ ?(.-) ?$")
    if key == "" or declared[key] then return end
    local ok, message = pcall(cdef, text)
    if not ok then
        local name = match(message, "attempt to redefine '(.-)'")
        if name then
            message = "C type '" .. name .. "' is already defined otherwise, a changed C definition needs nginx reload"
        end
        error(message, level + 1)
    end
    declared[key] = true
end

function ffi.cdef(text, ...)
    -- Parameters ($) make the same text mean different things.
    if type(text) ~= "string" or select("#", ...) > 0 then return cdef(text, ...) end
    local parts = {}
    if not each_declaration(text, function(part) parts[#parts + 1] = part end) then return define(text, 2) end
    for i = 1, #parts do define(parts[i], 2) end
end

-- Type id → the metatable that LuaJIT has for it for ever; its functions look for the running generation's.
local lasting = {}
-- Type id → the running generation's metatable. The VM changes it with the generation.
shared.metatypes = {}

local function dispatcher(id, event)
    if event == "__index" then
        return function(object, key)
            local index = shared.metatypes[id].__index
            if type(index) ~= "function" then return index[key] end
            local value = index(object, key)
            return value
        end
    end
    if event == "__newindex" then
        return function(object, key, value)
            local newindex = shared.metatypes[id].__newindex
            if type(newindex) ~= "function" then
                newindex[key] = value
                return
            end
            newindex(object, key, value)
        end
    end
    return function(...) return shared.metatypes[id][event](...) end
end

function ffi.metatype(ct, metatable)
    local ctype = typeof(ct)
    local id = tonumber(ctype)
    local first = not lasting[id]
    local events = lasting[id] or {}
    for event, method in pairs(metatable) do
        if events[event] == nil then
            -- A finalizer is bound to an object as it is made; what else is no function is read but once.
            local calls = event == "__index" or event == "__newindex" or (event ~= "__gc" and type(method) == "function")
            events[event] = calls and dispatcher(id, event) or method
        end
    end
    if first then
        metatype(ctype, events)
        lasting[id] = events
    end
    shared.metatypes[id] = metatable
    return ctype
end

local libraries = {}

function ffi.load(name, global)
    local library = libraries[name]
    if not library then
        library = load(name, global)
        libraries[name] = library
    elseif global then
        load(name, global)
    end
    return library
end
