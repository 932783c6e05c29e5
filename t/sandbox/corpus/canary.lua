-- Says "fine" where the run that was before left nothing behind, else what it found.
local found = {}
local function check(what, ok) if not ok then found[#found + 1] = what end end

local expected = {
    _G = "assert bit coroutine error getmetatable ipairs math next ngx os pairs pcall rawequal rawget rawset select setmetatable string table tonumber tostring type unpack xpcall",
    math = "abs acos asin atan atan2 ceil cos cosh deg exp floor fmod frexp ldexp log log10 max min modf pow rad random randomseed sin sinh sqrt tan tanh",
    string = "byte char find format gmatch gsub len lower match rep reverse sub upper",
    table = "concat insert maxn remove sort",
    bit = "arshift band bnot bor bswap bxor lshift rol ror rshift tobit tohex",
    coroutine = "create isyieldable resume running status wrap yield",
    os = "clock date time",
}
local plain = { _G = { _G = "table", _VERSION = "string" }, math = { pi = "number", huge = "number" } }

-- The names that a library has: all that are expected, and no others.
for library, names in pairs(expected) do
    local known = {}
    for name in names:gmatch("%S+") do
        known[name] = true
        check(library .. "." .. name .. " is missing", _G[library][name] ~= nil)
        if library ~= "_G" then check(library .. "." .. name .. " is no function", type(_G[library][name]) == "function") end
    end
    for name, kind in pairs(plain[library] or {}) do
        known[name] = true
        check(library .. "." .. name .. " is missing", type(_G[library][name]) == kind)
    end
    for name in pairs(_G[library]) do check("stray " .. library .. "." .. tostring(name), known[name]) end
    check("metatable of " .. library, library == "_G" or getmetatable(_G[library]) == nil)
end
check("stray global", stray == nil and cache == nil and counter == nil and poison == nil and no_such_name == nil)
check("_G", _G._G == _G and _VERSION == "Lua 5.1")
check("stray in ngx", ngx.counter == nil and ngx.poison == nil and ngx.no_such == nil)

-- What each does.
check("strings", ("aXb"):upper() == "AXB" and ("aXb"):lower() == "axb" and ("ab"):rep(2) == "abab" and ("abc"):sub(2, 2) == "b" and ("abc"):reverse() == "cba"
    and ("abc"):len() == 3 and ("abc"):byte(2) == 98 and string.char(97) == "a" and ("%d-%s"):format(1, "x") == "1-x")
check("patterns", ("key=value"):match("(%w+)=(%w+)") == "key" and ("abc"):find("b", 1, true) == 2 and ("abc"):gsub("b", { b = "x" }) == "axc"
    and ("abc"):gsub("%w", function(c) return c .. "." end) == "a.b.c." and ("a b"):gmatch("%a")() == "a")
check("string metatable", getmetatable("") == false)
local t = { 3, 1, 2 }
table.sort(t)
table.insert(t, 4)
check("tables", table.concat(t, ",") == "1,2,3,4" and table.remove(t) == 4 and table.maxn(t) == 3 and #t == 3 and unpack(t) == 1)
table.sort(t, function(a, b) return a > b end)
check("sort", table.concat(t) == "321")
check("math", math.floor(1.5) == 1 and math.max(1, 2) == 2 and math.huge == 1 / 0 and math.pi > 3.14 and math.pi < 3.15 and math.sqrt(4) == 2)
check("bit", bit.band(6, 3) == 2 and bit.tohex(255) == "000000ff")
check("base", type({}) == "table" and tostring(1) == "1" and tonumber("0x10") == 16 and select("#", 1, 2) == 2 and rawequal(t, t) and rawget(t, 1) == 3
    and rawset({}, 1, 2)[1] == 2 and next({}) == nil and next({ 5 }) == 1)
local n = 0
for k, v in pairs { 1, 2, x = 3 } do n = n + v end
for i, v in ipairs { 1, 2 } do n = n + i * v end
check("iterators", n == 11)
local object = {}
check("errors", select(2, pcall(error, object)) == object and pcall(error) == false and select(2, xpcall(error, function() return 7 end)) == 7
    and select(2, pcall(assert, nil, "x")) == "x" and assert(1) == 1)
check("metatables", getmetatable(setmetatable({}, object)) == object and setmetatable({}, { __index = function() return 1 end }).x == 1)
check("outermost coroutine", coroutine.running() == nil and not coroutine.isyieldable() and pcall(coroutine.yield) == false)
local co = coroutine.create(function(a) local b = coroutine.yield(a + 1) return b * 2 end)
local _, first = coroutine.resume(co, 1)
local _, second = coroutine.resume(co, 5)
check("coroutines", first == 2 and second == 10 and coroutine.status(co) == "dead" and coroutine.wrap(function() return 1 end)() == 1)
check("os", type(os.time()) == "number" and type(os.clock()) == "number" and os.time { year = 2000, month = 1, day = 2, hour = 12 } > 9e8 and #os.date("%Y") == 4)
check("text", ngx.escape_uri("a b") == "a%20b" and ngx.unescape_uri("a%20b") == "a b" and ngx.md5("") == "d41d8cd98f00b204e9800998ecf8427e"
    and ngx.decode_base64(ngx.encode_base64("x")) == "x")
check("request", ngx.req.get_method() == "GET" and ngx.req.get_uri_args().a == "1" and ngx.req.get_headers().host ~= nil and ngx.var.arg_a == "1")
check("denied variable", not select(2, pcall(function() return ngx.var.secret or nil end)) or not pcall(function() return ngx.var.secret end))
check("response", ngx.status ~= 201 and ngx.header["X-Poison"] == nil and ngx.header["X-Leak"] == nil)
check("time", ngx.time() > 1e9 and ngx.now() >= ngx.time() - 1)

-- Numbers that a seed of somebody else's would give.
local random, again = { math.random(), math.random() }, nil
for _, seed in ipairs { 0, 1, 42 } do
    math.randomseed(seed)
    again = { math.random(), math.random() }
    check("math.random goes on from seed " .. seed, random[1] ~= again[1] or random[2] ~= again[2])
end

ngx.print(#found == 0 and "fine" or table.concat(found, ", "))
