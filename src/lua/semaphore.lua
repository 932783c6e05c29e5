-- ngx.semaphore
local prim, ngx, shared = ...

local error, floor, setmetatable, tonumber, type = error, math.floor, setmetatable, tonumber, type
local semaphore_of, wait, waited, count = prim.new_semaphore, prim.wait, prim.waited, prim.count
local post = prim.post
local WAIT, in_phase, refusal, NO_REQUEST = shared.phases.wait, shared.in_phase, shared.refusal, shared.NO_REQUEST

local semaphore = { version = "0.1.25" }
local metatable = { __index = semaphore }

function semaphore.new(resources)
    resources = tonumber(resources) or 0
    if resources < 0 then error("no negative number", 2) end
    return setmetatable({ semaphore_of(resources) }, metatable)
end

-- The Rust half of a semaphore.
local function of(self)
    local own = type(self) == "table" and self[1]
    if type(own) ~= "userdata" then error("not a semaphore instance", 3) end
    return own
end

function semaphore:wait(seconds)
    local own = of(self)
    local number = tonumber(seconds)
    if not number then shared.bad_type(2, "number", seconds) end
    local milliseconds = floor(number * 1000)
    if milliseconds < 0 then error("no negative number", 2) end
    if not in_phase(WAIT) then
        local text = refusal()
        if text == NO_REQUEST then error(text, 2) end
        return nil, text
    end
    local got = wait(own, milliseconds)
    if got == true then return true end
    if got == false then return nil, "timeout" end
    shared.wait(got)
    if waited(got) then return true, nil end
    return false, "timeout"
end

function semaphore:post(resources)
    local own = of(self)
    resources = tonumber(resources) or 1
    if resources < 1 then error("positive number required", 2) end
    post(own, resources)
    return true
end

function semaphore:count()
    local own = of(self)
    return count(own)
end

package.preload["ngx.semaphore"] = function() return semaphore end
