-- resty.core and its parts. Code requires them to be sure that the API is there, and some use what they offer each
-- other; one that lies on the disk would look for C functions that only lua-nginx-module has.
local prim, ngx, shared = ...

local ffi = require "ffi"
local C, cast, new = ffi.C, ffi.cast, ffi.new
local loaded, preload = package.loaded, package.preload
local type, error, select = type, error, select
local version = shared.core_version

ffi.cdef [[
uintptr_t hotlua_request_address(void);
double hotlua_monotonic(void);
]]

-- What lua-resty-core loads is loaded there from the start, so that table.new(..) works without a require.
for _, name in ipairs { "clear", "clone", "isarray", "isempty", "new", "nkeys" } do
    require("table." .. name)
end

-- The request that runs, as a pointer to nginx's structure.
local function request()
    local address = C.hotlua_request_address()
    if address == 0 then return nil end
    return (cast("void *", address))
end

local core = {}

local buffer_size = 4096
local buffer, size_cell, message_cell

local base = {
    new_tab = require "table.new",
    clear_tab = require "table.clear",
    get_request = request,

    FFI_OK = ngx.OK,
    FFI_ERROR = ngx.ERROR,
    FFI_AGAIN = ngx.AGAIN,
    FFI_BUSY = -3,
    FFI_DONE = ngx.DONE,
    FFI_DECLINED = ngx.DECLINED,
    FFI_NO_REQ_CTX = -100,
    FFI_BAD_CONTEXT = -101,
}
core.base = base

-- One buffer that all callers share, where it is large enough; a new one where it must be the caller's own.
function base.get_string_buf(size, own)
    if own or size > buffer_size then return (new("char[?]", size)) end
    buffer = buffer or new("char[?]", buffer_size)
    return buffer
end

function base.get_string_buf_size()
    return buffer_size
end

function base.set_string_buf_size(size)
    if size <= 0 then return end
    buffer, buffer_size = nil, size
end

function base.get_size_ptr()
    size_cell = size_cell or new "size_t[1]"
    return size_cell
end

function base.get_errmsg_ptr()
    message_cell = message_cell or new "char *[1]"
    return message_cell
end

-- Raises unless `http` is among the subsystems.
function base.allows_subsystem(...)
    for i = 1, select("#", ...) do
        if select(i, ...) == "http" then return end
    end
    error("unsupported subsystem: http", 2)
end

-- Puts a value into an array of references and returns its place.
function base.ref_in_table(references, value)
    if value == nil then return -1 end
    local place = #references + 1
    references[place] = value
    return place
end

core.ctx = {
    -- What is given becomes the request's, where that has none yet.
    get_ctx_table = function(context)
        if context ~= nil and C.hotlua_context() == 0 then ngx.ctx = context end
        return ngx.ctx
    end,
}

core.misc = {
    register_ngx_magic_key_getter = function(name, get) shared.ngx_get[name] = get end,
    register_ngx_magic_key_setter = function(name, set) shared.ngx_set[name] = set end,
}

core.regex = {
    -- Results are not written into a buffer that would have to grow.
    set_buf_grow_ratio = function(ratio)
        if type(ratio) ~= "number" then error("bad argument #1 to 'set_buf_grow_ratio' (must be a number)", 2) end
    end,
}

core.request = {
    set_req_header = function(name, value, override)
        if override then return ngx.req.set_header(name, value) end
        return require("ngx.req").add_header(name, value)
    end,
}

core.response = {
    set_resp_header = function(_, name, value, no_override)
        if no_override then return require("ngx.resp").add_header(name, value) end
        ngx.header[name] = value
    end,
}

core.time = {
    monotonic_msec = function() return C.hotlua_monotonic() end,
    monotonic_time = function() return C.hotlua_monotonic() / 1000 end,
}

core.utils = {
    -- Replaces a character wherever it stands.
    str_replace_char = function(text, char, replacement)
        if #char ~= 1 then return text end
        return (text:gsub(char:gsub("%p", "%%%0"), (replacement:gsub("%%", "%%%%"))))
    end,
}

-- Those that others need for what they do to the API, which is done here already.
for _, name in ipairs {
    "base64", "coroutine", "exit", "hash", "ndk", "param", "phase", "shdict", "socket", "uri", "var", "worker",
} do
    core[name] = {}
end

local function provide(name, module)
    -- The family that the part belongs to may have given a better one.
    if preload[name] then return end
    module.version = version
    loaded[name] = module
    -- So that it is found again where package.loaded was emptied.
    preload[name] = function() return module end
end

for name, module in pairs(core) do provide("resty.core." .. name, module) end
provide("resty.core", {})

-- What finds the request in upstream's C functions. LuaJIT's own still keeps what it is given.
local exchange = require "thread.exdata"
function exdata(...)
    if select("#", ...) > 0 then return exchange(...) end
    return (cast("void *", C.hotlua_request_address()))
end
loaded["thread.exdata"] = exdata
preload["thread.exdata"] = function() return exdata end
exdata2 = require "thread.exdata2"
