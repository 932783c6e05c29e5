-- Globals of generations. A global that a candidate has set while it loaded is generational from then on: each
-- environment has its own value, which _G shows while that environment runs. All others are shared, as in OpenResty.
--
-- _G's metatable goes with them. It may be strict, so all access is raw.
local prim, ngx, shared = ...

local next, rawget, rawset, rawequal = next, rawget, rawset, rawequal
local getmetatable, setmetatable = debug.getmetatable, debug.setmetatable
local G = _G

-- The name that _G's metatable goes by.
local METATABLE = newproxy(false)

-- Stands for a global that is not set.
local unset = newproxy(false)
-- Generational name → the value of the environments that have none of their own: what it was before.
local generational = {}

local function get(name)
    if rawequal(name, METATABLE) then return getmetatable(G) end
    return rawget(G, name)
end

local function set(name, value)
    if rawequal(name, METATABLE) then setmetatable(G, value) else rawset(G, name, value) end
end

-- The globals as they are, for what `claim` finds changed.
function prim.remember()
    local before = {}
    for name, value in next, G do before[name] = value end
    before[METATABLE] = getmetatable(G)
    return before
end

-- No closure that `claim` makes anew: LuaJIT would compile for each, and never give the memory back.
local function compare(name, value, was)
    if generational[name] == nil and not rawequal(value, was) then
        if was == nil then was = unset end
        generational[name] = was
    end
end

-- Makes the globals generational that were changed since `before`. Says whether there are generational ones.
function prim.claim(before)
    for name, value in next, G do compare(name, value, before[name]) end
    compare(METATABLE, getmetatable(G), before[METATABLE])
    for name, was in next, before do
        if generational[name] == nil and get(name) == nil then generational[name] = was end
    end
    return next(generational) ~= nil
end

-- Puts the generational globals into `own`, the table of the environment that ran.
function prim.save(own)
    for name in next, generational do
        local value = get(name)
        if value == nil then value = unset end
        own[name] = value
    end
end

-- Sets the generational globals to those of `own`, the table of the environment that is to run.
function prim.show(own)
    for name, value in next, generational do
        local its = own[name]
        if its ~= nil then value = its end
        if rawequal(value, unset) then value = nil end
        set(name, value)
    end
end

-- The generational globals that a successor begins with: a copy of `own`.
function prim.inherit(own)
    local copy = {}
    for name in next, generational do copy[name] = own[name] end
    return copy
end

-- Makes every global a shared one again; they stay as they are.
function prim.settle(own)
    for name in next, generational do
        generational[name] = nil
        own[name] = nil
    end
end
