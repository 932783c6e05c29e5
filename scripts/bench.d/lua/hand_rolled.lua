-- How OpenResty's book contains a script: a table of allowed functions as its globals, the JIT off, a count hook.
-- The chunk is compiled once. What is wrong with it (shared libraries, one VM, C functions that no hook stops, a
-- pcall that catches the hook's error) makes it fast: it is what the sandbox is measured against.
local SCRIPTS = ngx.config.prefix() .. "../untrusted/"
local INSTRUCTIONS = 1000000

local chunks = {}

local function chunk_of(name)
    local chunk = chunks[name]
    if not chunk then
        chunk = assert(loadfile(SCRIPTS .. name .. ".lua"))
        jit.off(chunk, true)
        chunks[name] = chunk
    end
    return chunk
end

local function globals()
    return {
        ipairs = ipairs, pairs = pairs, select = select, tonumber = tonumber, tostring = tostring, type = type,
        math = math, string = string, table = table, ngx = { say = ngx.say },
    }
end

local function over() error("instruction limit") end

return function(name)
    local chunk = chunk_of(name)
    setfenv(chunk, globals())
    debug.sethook(over, "", INSTRUCTIONS)
    local ok, message = pcall(chunk)
    debug.sethook()
    if not ok then
        ngx.log(ngx.ERR, message)
        return ngx.exit(500)
    end
end
