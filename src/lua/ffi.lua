-- The ffi library for modules that are loaded more than once: what they defined before is not defined again, a type
-- takes the methods of the generation that runs, and a library stays loaded.
local prim, ngx, shared = ...

local ffi = require "ffi"
-- A global of LuaJIT's only where it is built in; code that asks for it requires it.
_G.ffi = nil
package.preload.ffi = function() return ffi end
local type, pcall, error, select, tonumber, pairs = type, pcall, error, select, tonumber, pairs
local find, sub, gsub, match, format = string.find, string.sub, string.gsub, string.match, string.format
local cdef, metatype, load, typeof = ffi.cdef, ffi.metatype, ffi.load, ffi.typeof
local getinfo = debug.getinfo

-- Declarations that the VM has, by their text with its white space folded.
local declared = {}
-- A file and a typedef's name in it → its declaration.
local typedefs = {}

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

local CHANGED = "C type '%s' is already defined otherwise, a changed C definition needs nginx reload"

-- The name that a typedef declares; of several the last one. Nil for what is no typedef, or one of a function.
local function typedef_name(key)
    if sub(key, 1, 8) ~= "typedef " then return end
    local declarator = gsub(match(key, "^.*}(.*)$") or sub(key, 9), "__[%w_]+ ?%b()", "")
    if find(declarator, "(", 1, true) then return match(declarator, "^[^(]*%( ?%* ?([%a_][%w_]*) ?%)") end
    return match(declarator, "([%a_][%w_]*)[%s%d%[%]]*;?$")
end

local function define(text, source, level)
    local key = match(gsub(text, "%s+", " "), "^ ?(.-) ?$")
    if key == "" then return end
    -- LuaJIT accepts a second typedef of a name and goes on with the first. Between libraries that is as good as it is
    -- without us; within one file it is a change that would be lost.
    local typedef = source and typedef_name(key)
    local own = typedef and source .. "\0" .. typedef
    if own and (typedefs[own] or key) ~= key then error(format(CHANGED, typedef), level + 1) end
    if declared[key] then
        if own then typedefs[own] = key end
        return
    end
    local ok, message = pcall(cdef, text)
    if not ok then
        local name = match(message, "attempt to redefine '(.-)'")
        if name then message = format(CHANGED, name) end
        error(message, level + 1)
    end
    declared[key] = true
    if own then typedefs[own] = key end
end

function ffi.cdef(text, ...)
    -- Parameters ($) make the same text mean different things.
    if type(text) ~= "string" or select("#", ...) > 0 then return cdef(text, ...) end
    local parts, caller = {}, getinfo(2, "S")
    -- By pcall(ffi.cdef, text) no file can be told.
    local source = caller and caller.what ~= "C" and caller.source
    if not each_declaration(text, function(part) parts[#parts + 1] = part end) then return define(text, source, 2) end
    for i = 1, #parts do define(parts[i], source, 2) end
end

-- Type id → the metatable that LuaJIT has for it for ever; its functions look for the running generation's.
local lasting = {}
-- Type id → the running generation's metatable. The VM changes it with the generation.
shared.metatypes = {}

local function dispatcher(id, event, method)
    if event == "__gc" then
        -- The object may be of a generation that was rejected; then its type is known to no other.
        return function(object)
            local metatable = shared.metatypes[id]
            local finalize
            if metatable then finalize = metatable.__gc else finalize = method end
            if finalize then finalize(object) end
        end
    end
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
            -- What is no function is read but once.
            local calls = event == "__index" or event == "__newindex" or type(method) == "function"
            events[event] = calls and dispatcher(id, event, method) or method
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
