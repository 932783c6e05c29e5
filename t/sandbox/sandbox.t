# What a script in the sandbox finds: Lua as it is elsewhere, the parts of ngx that its profile allows, and verdicts.
use Test::Nginx::Socket 'no_plan';

my $PROFILE = <<'CONF';
    map $host $mine { default value; }
    map $host $secret { default hidden; }
    hotlua_sandbox tenant {
        allow _G _VERSION assert error getmetatable ipairs next pairs pcall rawequal rawget rawset select setmetatable
              tonumber tostring type unpack xpcall bit coroutine math os string table;
        allow ngx.say ngx.print ngx.status ngx.header ngx.exit ngx.time ngx.now ngx.escape_uri ngx.unescape_uri
              ngx.encode_base64 ngx.decode_base64 ngx.md5 ngx.req.get_method ngx.req.get_uri_args ngx.req.get_headers
              ngx.var.arg_* ngx.var.mine ngx.var.uri;
        instructions 2m; time 500ms; memory 4m; output 64k;
    }
CONF

# A block's `script` runs at /t; `profile` is what else stands in front of the server.
add_block_preprocessor(sub {
    my $block = shift;
    my $script = $block->script // return;
    $block->set_value(user_files => ">>> scripts/t.lua\n$script");
    $block->set_value(http_config => $PROFILE . ($block->profile // ''));
    $block->set_value(config => <<'CONF') if !defined $block->config;
    location = /t {
        content_by_sandbox_file tenant html/scripts/t.lua;
    }
CONF
    $block->set_value(request => 'GET /t') if !defined $block->request;
    $block->set_value(no_error_log => '[error]') if !defined $block->error_log;
});

no_long_string();
run_tests();

__DATA__

=== TEST 1: string.find
--- script
ngx.say(("hello world"):find("wor"))
ngx.say(tostring(("hello"):find("x")), " ", tostring((""):find("")))
ngx.say(("a.b"):find(".", 1, true), " ", (("a.b"):find(".", 3, true)))
ngx.say(("hello"):find("l", -2), " ", (("hello"):find("l", 4)), " ", tostring((("hello"):find("", 10))))
ngx.say(("key = value"):find("(%w+)%s*=%s*(%w+)"))
ngx.say(("abc"):find("b()"))
--- response_body
79
nil 1
2 nil
4 4 6
111keyvalue
223



=== TEST 2: string.match
--- script
ngx.say(("key=value"):match("(%w+)=(%w+)"))
ngx.say(("  trim  "):match("^%s*(.-)%s*$"), "|")
ngx.say(("2026-11-23"):match("^(%d+)-(%d+)-(%d+)$"))
ngx.say(tostring(("abc"):match("%d")), " ", ("abc"):match("b"), " ", ("abc"):match("()b()"))
ngx.say(("f(a(b)c)d"):match("%b()"), " ", ("THE (quick) fox"):match("%f[%a]%a+%f[%A]"), " ", ("aa"):match("^(.)%1$"))
ngx.say(("x\0y"):match("%z") == "\0", " ", ("a-b"):match("[%a-]+"), " ", ("]"):match("[]]"), " ", ("^"):match("[x^]"))
--- response_body
keyvalue
trim|
20261123
nil b 23
(a(b)c) THE a
true a-b ] ^



=== TEST 3: string.gmatch
--- script
local words = {}
for word in ("one two  three"):gmatch("%a+") do words[#words + 1] = word end
ngx.say(table.concat(words, ","))
for k, v in ("a=1, b=2"):gmatch("(%w+)=(%w+)") do ngx.print(k, v, ";") end
ngx.say()
local n = 0
for _ in ("abc"):gmatch("") do n = n + 1 end
ngx.say(n)
for a in ("xyz"):gmatch("()") do ngx.print(a, " ") end
ngx.say()
--- response_body
one,two,three
a1;b2;
4
1 2 3 4 



=== TEST 4: string.gsub with strings, tables and functions
--- script
ngx.say(("hello world"):gsub("o", "0"))
ngx.say(("hello"):gsub("l", "L", 1))
ngx.say(("hello world"):gsub("(%w+)", "<%1>"))
ngx.say((("abc"):gsub("%w", "%0%0")), " ", (("a%b"):gsub("%%", "%%%%")))
ngx.say((("$name is $age, $none"):gsub("%$(%w+)", { name = "x", age = 7 })))
ngx.say((("4+5"):gsub("%d", function(d) return d * 2 end)), " ", (("ab"):gsub(".", function(c) if c == "a" then return false end end)))
ngx.say((("abc"):gsub("", "-")), " ", (("abc"):gsub("^a", "x")), " ", (("aaa"):gsub("^a", "x")))
ngx.say((("abc"):gsub("b*", "-")), " ", select(2, ("abc"):gsub(".", "")), " ", (("x"):gsub("x", "%0", 0)))
--- response_body
hell0 w0rld2
heLlo1
<hello> <world>2
aabbcc a%%b
x is 7, $none
8+10 ab
-a-b-c- xbc xaa
-a--c- 3 x



=== TEST 5: errors of patterns are errors of Lua
--- script
local function try(f, ...)
    local ok, err = pcall(f, ...)
    ngx.say(ok, " ", (tostring(err):gsub("^.-:%d+: ", "")))
end
try(string.find, "a", "[a")
try(string.find, "a", "%")
try(string.find, "a", "(a")
try(string.find, "a", "%a)")
try(string.find, "a", "%b")
try(string.find, "a", "%f")
try(string.gsub, "a", "a", "%2")
try(string.gsub, "a", "a", function() return {} end)
--- response_body_like
^false malformed pattern \(missing '\]'\)
false malformed pattern \(ends with '%'\)
false unfinished capture.*
false .+
false .+
false missing '\[' after '%f' in pattern
false invalid capture index.*
false invalid replacement value \(a table\)$



=== TEST 6: string.format
--- script
ngx.say(("%d %5d %-5d| %05d %+d"):format(1, 2, 3, 4, 5))
ngx.say(("%s %10s %-10s| %.2s"):format("a", "b", "c", "def"))
ngx.say(("%x %X %o %c %%"):format(255, 255, 8, 65))
ngx.say(("%.3f %e %g %g"):format(1 / 3, 12345.678, 0.1, 1e20))
ngx.say(("%q"):format('a "quote"\n\\'))
ngx.say(("%s %s %s"):format(nil, true, 1.5))
ngx.say(("%s"):format(setmetatable({}, { __tostring = function() return "mine" end })))
ngx.say(#("%s"):format({}) > #"table: ", " ", ("%5.1f|"):format(2.5))
ngx.say((pcall(string.format, "%d", "x")), " ", (pcall(string.format, "%s")), " ", (pcall(string.format, "%y", 1)), " ", ("%d"):format("3"))
--- response_body
1     2 3    | 00004 +5
a          b c         | de
ff FF 10 A %
0.333 1.234568e+04 0.1 1e+20
"a \"quote\"\
\\"
nil true 1.5
mine
true   2.5|
false false false 3



=== TEST 7: string.rep, sub, byte, char, case and reverse
--- script
ngx.say(("ab"):rep(3), " [", ("ab"):rep(0), ("ab"):rep(-1), "] ", ("x"):rep(3, ","))
ngx.say(("hello"):sub(2, 3), " ", ("hello"):sub(-3), " ", ("hello"):sub(2), " [", ("hello"):sub(4, 2), "] ", ("hello"):sub(-100, 100))
ngx.say(("ABC"):byte(), " ", ("ABC"):byte(-1), " ", table.concat({ ("ABC"):byte(1, -1) }, ","), " ", select("#", ("ABC"):byte(10)))
ngx.say(string.char(72, 105), string.char(), " ", (pcall(string.char, 256)))
ngx.say(("MiXed"):lower(), " ", ("MiXed"):upper(), " ", ("abc"):reverse(), " ", ("abc"):len(), " ", #"a\0b")
ngx.say(string.rep(12, 2), " ", string.len(123), " ", string.sub(12345, 2, 3), " ", string.upper(1))
--- response_body
ababab [] x,x,x
el llo ello [] hello
65 67 65,66,67 0
Hi false
mixed MIXED cba 3 3
1212 3 23 1



=== TEST 8: table.sort
--- script
local t = { 5, 2, 8, 1, 9, 3 }
table.sort(t)
ngx.say(table.concat(t, " "))
table.sort(t, function(a, b) return a > b end)
ngx.say(table.concat(t, " "))
local words = { "pear", "Apple", "fig", "10", "9" }
table.sort(words)
ngx.say(table.concat(words, " "))
local people = {}
for i = 1, 100 do people[i] = { age = (i * 37) % 101 } end
table.sort(people, function(a, b) return a.age < b.age end)
local sorted = true
for i = 2, 100 do sorted = sorted and people[i - 1].age <= people[i].age end
ngx.say(sorted, " ", select("#", table.sort({})), " ", (pcall(table.sort)), " ", (pcall(table.sort, { 1, {} })), " ", (pcall(table.sort, { 2, 1 }, 5)))
--- response_body
1 2 3 5 8 9
9 8 5 3 2 1
10 9 Apple fig pear
true 0 false false false



=== TEST 9: a comparison that contradicts itself ends well or raises; one that raises is heard
--- script
local t = {}
for i = 1, 100 do t[i] = i % 7 end
local ok, err = pcall(table.sort, t, function() return true end)
ngx.say(ok or err:find("invalid order function", 1, true) ~= nil, " ", #t)
local _, mine = pcall(table.sort, t, function() error("mine", 0) end)
ngx.say(mine)
--- response_body
true 100
mine



=== TEST 10: table.concat
--- script
ngx.say(table.concat({ 1, "a", 2.5 }), " ", table.concat({ 1, 2, 3 }, ", "), " ", table.concat({ 1, 2, 3, 4 }, "-", 2, 3))
ngx.say("[", table.concat({}), table.concat({ 1 }, ",", 2), "]")
local function try(...)
    local ok, err = pcall(table.concat, ...)
    ngx.say(ok, " ", (tostring(err):gsub("^.-:%d+: ", "")))
end
try({ 1, {}, 3 })
try({ 1, 2 }, ",", 1, 3)
try({ true })
try()
--- response_body_like
^1a2.5 1, 2, 3 2-3
\[\]
false invalid value \(table\) at index 2 in table for 'concat'
false invalid value \(nil\) at index 3 in table for 'concat'
false invalid value \(boolean\) at index 1 in table for 'concat'
false bad argument #1 to .*\(table expected, got no value\)$



=== TEST 11: table.insert, remove, maxn
--- script
local t = { 1, 2 }
table.insert(t, 3)
table.insert(t, 1, 0)
ngx.say(table.concat(t, " "), " ", table.remove(t), " ", table.remove(t, 1), " ", table.concat(t, " "))
ngx.say(tostring((table.remove({}))), " ", table.maxn({ 1, 2, [10] = true }), " ", table.maxn({}), " ", (pcall(table.insert, t)), " ", (pcall(table.insert, 1, 2)))
ngx.say((pcall(table.insert, t, 1, 2, 3)))
--- response_body
0 1 2 3 3 0 1 2
nil 10 0 false false
false



=== TEST 12: pairs, ipairs, next
--- script
local keys = {}
for k, v in pairs { a = 1, b = 2, 3 } do keys[#keys + 1] = tostring(k) .. v end
table.sort(keys)
ngx.say(table.concat(keys, " "))
for i, v in ipairs { "x", "y", nil, "z" } do ngx.print(i, v, " ") end
ngx.say()
ngx.say(tostring(next({})), " ", next({ 7 }), " ", (pcall(next, {}, "x")), " ", (pcall(pairs)), " ", (pcall(ipairs, 1)))
local t = { a = 1, b = 2, c = 3 }
for k in pairs(t) do t[k] = nil end
ngx.say(tostring(next(t)))
--- response_body
13 a1 b2
1x 2y 
nil 1 false false false
nil



=== TEST 13: select and unpack
--- script
ngx.say(select("#"), " ", select("#", nil, nil), " ", select(2, "a", "b", "c"), " ", select(-1, "a", "b"))
ngx.say((pcall(select, 0)), " ", (pcall(select, "x")), " ", select("#", select(5, 1, 2)))
ngx.say(unpack({ 1, 2, 3 }))
ngx.say(unpack({ 1, 2, 3 }, 2))
ngx.say(unpack({ 1, 2, 3 }, 2, 5))
ngx.say(select("#", unpack({}, 1, 3)), " ", (pcall(unpack)), " ", (pcall(unpack, {}, 1, 1e8)))
--- response_body
0 2 b b
false false 0
123
23
23nilnil
3 false false



=== TEST 14: tostring and tonumber
--- script
ngx.say(tostring(nil), " ", tostring(true), " ", tostring(1), " ", tostring(1.5), " ", tostring("x"), " ", tostring(1 / 0))
ngx.say((tostring({}):gsub("0x%x+$", "ADDRESS")), " ", (tostring(ngx.say):gsub(": .*$", ": ADDRESS")), " ",
    (tostring(coroutine.create(function() end)):gsub("0x%x+$", "ADDRESS")))
ngx.say(tostring(setmetatable({}, { __tostring = function() return "mine" end })))
ngx.say(tonumber("10"), " ", tonumber(" 0x1F "), " ", tonumber("1e2"), " ", tostring(tonumber("1x")), " ", tostring(tonumber("")), " ", tonumber(5))
ngx.say(tonumber("ff", 16), " ", tonumber("z", 36), " ", tonumber("101", 2), " ", tostring(tonumber("9", 8)), " ", (pcall(tonumber, "1", 99)), " ", tostring(tonumber({})))
ngx.say((pcall(tostring)), " ", (pcall(tonumber)))
--- response_body
nil true 1 1.5 x inf
table: ADDRESS function: ADDRESS thread: ADDRESS
mine
10 31 100 nil nil 5
255 35 5 nil false nil
false false



=== TEST 15: an object's text tells it from others, and is always the same
--- script
local a, b = {}, {}
ngx.say(tostring(a) == tostring(a), " ", tostring(a) ~= tostring(b), " ", tostring(a) == ("%s"):format(a))
--- response_body
true true true



=== TEST 16: errors with levels and values that are no strings
--- script
local function raise(...) error(...) end
local function kind(...)
    local ok, err = pcall(raise, ...)
    local text = tostring(err)
    return (text:gsub("^.-:(%d+): ", "line %1: "))
end
ngx.say(kind("plain"))
ngx.say(kind("no position", 0))
ngx.say(kind(nil), " ", kind(42, 0), " ", kind(true))
local object = { code = 7 }
local ok, err = pcall(error, object)
ngx.say(ok, " ", err == object, " ", err.code)
local _, where = pcall(function()
    local function inner() error("outer", 2) end
    inner()
end)
ngx.say((where:gsub("^.-:(%d+): ", "line %1: ")))
--- response_body
line 1: plain
no position
nil 42 true
false true 7
line 15: outer



=== TEST 17: pcall and its results
--- script
ngx.say(pcall(function(...) return ... end, 1, nil, "x"))
ngx.say((pcall(function() return pcall(error, "x") end)), " ", select(3, pcall(function() return pcall(error, "x", 0) end)))
ngx.say((pcall(nil)), " ", (pcall(pcall)), " ", (pcall(pcall, error)))
local ok, err = pcall(function() local t; return t.x end)
ngx.say(ok, " ", err:find("attempt to index local 't' (a nil value)", 1, true) ~= nil)
ok, err = pcall(function() return no_such() end)
ngx.say(ok, " ", err:find("attempt to call global 'no_such' (a nil value)", 1, true) ~= nil)
ok, err = pcall(function() return {} + 1 end)
ngx.say(ok, " ", err:find("attempt to perform arithmetic on a table value", 1, true) ~= nil)
--- response_body
true1nilx
true x
false false true
false true
false true
false true



=== TEST 18: xpcall
--- script
ngx.say(xpcall(function(...) return ... end, function() end, 1, 2))
ngx.say(xpcall(function() error("x", 0) end, function(err) return "handled " .. err, "second" end))
local object = {}
ngx.say(select(2, xpcall(error, function(err) return err == object end, object)))
ngx.say((xpcall(error, function() error("again") end)), " ", (pcall(xpcall)))
--- response_body_like
^true12
falsehandled x(?:second)?
true
false false$



=== TEST 19: assert
--- script
ngx.say(assert(1, 2, 3))
ngx.say(select(2, pcall(assert, false)), " ", select(2, pcall(assert, nil, "mine")))
local object = {}
ngx.say(select(2, pcall(assert, false, object)) == object, " ", (pcall(assert)))
--- response_body
123
assertion failed! mine
true false



=== TEST 20: metatables
--- script
local mt = {}
local t = setmetatable({}, mt)
ngx.say(getmetatable(t) == mt, " ", tostring(getmetatable({})), " ", setmetatable(t, nil) == t, " ", tostring(getmetatable(t)))
mt.__metatable = "locked"
setmetatable(t, mt)
ngx.say(getmetatable(t), " ", (pcall(setmetatable, t, {})), " ", (pcall(setmetatable, {}, 1)), " ", (pcall(setmetatable, 1, {})))
ngx.say(tostring(getmetatable("")), " ", tostring(getmetatable(1)))
--- response_body
true nil true nil
locked false false false
false nil



=== TEST 21: __index and __newindex
--- script
local base = { greet = function(self) return "hi " .. self.name end }
local t = setmetatable({ name = "x" }, { __index = base })
ngx.say(t:greet(), " ", tostring(t.none), " ", tostring(rawget(t, "greet")))
t = setmetatable({}, { __index = function(_, k) return k .. "!" end })
ngx.say(t.a, " ", t[1], " ", tostring(rawget(t, "a")))
local log = {}
t = setmetatable({}, { __newindex = function(self, k, v) log[#log + 1] = k rawset(self, k, v * 2) end })
t.a, t.b = 1, 2
t.a = 5
ngx.say(t.a, " ", t.b, " ", table.concat(log, " "))
local store = {}
t = setmetatable({}, { __newindex = store })
t.x = 1
ngx.say(tostring(rawget(t, "x")), " ", store.x)
--- response_body_like
^hi x nil nil
a! 1! nil
5 4 (?:a b|b a)
nil 1$



=== TEST 22: __call, __concat, __unm, arithmetic
--- script
local mt = {
    __call = function(_, a, b) return a + b end,
    __concat = function(a, b) return (type(a) == "table" and "T" or a) .. (type(b) == "table" and "T" or b) end,
    __unm = function() return "minus" end,
    __add = function(a, b) return "add" end, __sub = function() return "sub" end, __mul = function() return "mul" end,
    __div = function() return "div" end, __mod = function() return "mod" end, __pow = function() return "pow" end,
}
local t = setmetatable({}, mt)
ngx.say(t(1, 2), " ", t .. "x", " ", "x" .. t, " ", "a" .. "b" .. t, " ", -t)
ngx.say(t + 1, " ", 1 - t, " ", t * t, " ", t / 2, " ", t % 2, " ", 2 ^ t)
--- response_body
3 Tx xT abT minus
add sub mul div mod pow



=== TEST 23: __eq, __lt, __le
--- script
local mt = {
    __eq = function(a, b) return a.n == b.n end,
    __lt = function(a, b) return a.n < b.n end,
    __le = function(a, b) return a.n <= b.n end,
}
local function new(n) return setmetatable({ n = n }, mt) end
ngx.say(new(1) == new(1), " ", new(1) ~= new(2), " ", rawequal(new(1), new(1)), " ", new(1) == 1)
ngx.say(new(1) < new(2), " ", new(2) <= new(2), " ", new(1) > new(2), " ", new(3) >= new(2))
ngx.say((pcall(function() return new(1) < 1 end)), " ", (pcall(function() return {} < {} end)))
--- response_body
true true false false
true true false true
false false



=== TEST 24: coroutines: create, resume, yield, status
--- script
local co = coroutine.create(function(a, b)
    ngx.say("first ", a, b)
    local c = coroutine.yield(a + b)
    ngx.say("second ", c)
    local d, e = coroutine.yield(c * 2)
    return d + e, "end"
end)
ngx.say(coroutine.status(co), " ", type(co))
ngx.say(coroutine.resume(co, 1, 2))
ngx.say(coroutine.status(co))
ngx.say(coroutine.resume(co, 10))
ngx.say(coroutine.resume(co, 3, 4))
ngx.say(coroutine.status(co))
ngx.say(coroutine.resume(co))
--- response_body
suspended thread
first 12
true3
suspended
second 10
true20
true7end
dead
falsecannot resume dead coroutine



=== TEST 25: coroutine.wrap, in loops too
--- script
local function range(n)
    return coroutine.wrap(function()
        for i = 1, n do coroutine.yield(i, i * i) end
    end)
end
for i, square in range(4) do ngx.print(i, ":", square, " ") end
ngx.say()
local function walk(tree)
    if not tree then return end
    walk(tree.left)
    coroutine.yield(tree.value)
    walk(tree.right)
end
local tree = { value = 2, left = { value = 1 }, right = { value = 4, left = { value = 3 } } }
for value in coroutine.wrap(function() walk(tree) end) do ngx.print(value, " ") end
ngx.say()
local dead = coroutine.wrap(function() end)
dead()
ngx.say((pcall(dead)))
--- response_body
1:1 2:4 3:9 4:16 
1 2 3 4 
false



=== TEST 26: coroutine.running and status within
--- script
ngx.say(tostring(coroutine.running()))
local outer
outer = coroutine.create(function()
    ngx.say(coroutine.running() == outer, " ", coroutine.status(outer))
    coroutine.wrap(function() ngx.say(coroutine.status(outer)) end)()
end)
coroutine.resume(outer)
ngx.say(coroutine.status(outer))
--- response_body
nil
true running
normal
dead



=== TEST 27: errors in coroutines
--- script
local co = coroutine.create(function() error("mine", 0) end)
ngx.say(coroutine.resume(co))
ngx.say(coroutine.status(co), " ", (coroutine.resume(co)))
local object = {}
local ok, err = coroutine.resume(coroutine.create(function() error(object) end))
ngx.say(ok, " ", err == object)
ok, err = pcall(coroutine.wrap(function() error("through wrap") end))
ngx.say(ok, " ", err:find("through wrap", 1, true) ~= nil)
ok, err = pcall(coroutine.wrap(function() error(object) end))
ngx.say(ok, " ", err == object)
--- response_body
falsemine
dead false
false true
false true
false true



=== TEST 28: a yield across pcall, metamethods and iterators
--- script
local co = coroutine.wrap(function()
    local ok, value = pcall(function() return coroutine.yield("in pcall") end)
    coroutine.yield(tostring(ok) .. " " .. value)
    local t = setmetatable({}, { __index = function(_, k) return coroutine.yield("in __index " .. k) end })
    coroutine.yield("got " .. t.key)
    for x in function() return coroutine.yield("in iterator") end do coroutine.yield("looped " .. x) end
    local _, again = pcall(function() coroutine.yield("before error") error("after", 0) end)
    return again
end)
ngx.say(co())
ngx.say(co("A"))
ngx.say(co())
ngx.say(co("B"))
ngx.say(co())
ngx.say(co("C"))
ngx.say(co())
ngx.say(co(nil))
ngx.say(co())
--- response_body
in pcall
true A
in __index key
got B
in iterator
looped C
in iterator
before error
after



=== TEST 29: what is no coroutine; a yield outside of one
--- script
ngx.say((pcall(coroutine.create)), " ", (pcall(coroutine.create, 1)), " ", (pcall(coroutine.resume, 1)), " ", (pcall(coroutine.status, {})))
local ok, err = pcall(coroutine.yield, 1)
ngx.say(ok, " ", err:find("attempt to yield", 1, true) ~= nil)
local co
co = coroutine.create(function() return coroutine.resume(co) end)
ngx.say((select(2, coroutine.resume(co))))
--- response_body
false false false false
false true
false



=== TEST 30: math
--- script
ngx.say(math.floor(1.9), " ", math.ceil(1.1), " ", math.abs(-3), " ", math.max(1, 3, 2), " ", math.min(1, 3, 2), " ", math.fmod(7, 3), " ", math.sqrt(16), " ", 7 % -3)
ngx.say(math.huge, " ", -math.huge, " ", ("%.5f"):format(math.pi), " ", 2 ^ 10, " ", math.pow(2, 3), " ", math.log(1), " ", math.exp(0))
ngx.say(math.modf(1.5))
ngx.say(math.frexp(8))
local ok = true
for _ = 1, 100 do
    local a, b, c = math.random(), math.random(6), math.random(5, 7)
    ok = ok and a >= 0 and a < 1 and b >= 1 and b <= 6 and c >= 5 and c <= 7 and b % 1 == 0
end
ngx.say(ok)
math.randomseed(7)
local first = math.random()
math.randomseed(7)
ngx.say(first == math.random())
--- response_body
1 2 3 3 1 1 4 -2
inf -inf 3.14159 1024 8 0 1
10.5
0.54
true
true



=== TEST 31: bit
--- script
ngx.say(bit.band(12, 10), " ", bit.bor(12, 10), " ", bit.bxor(12, 10), " ", bit.bnot(0), " ", bit.lshift(1, 4), " ", bit.rshift(-1, 28), " ", bit.arshift(-16, 2))
ngx.say(bit.tohex(255), " ", bit.tohex(255, 4), " ", bit.tobit(2 ^ 32 + 5), " ", bit.bswap(1), " ", bit.rol(1, 31), " ", bit.ror(1, 1))
--- response_body
8 14 6 -1 16 15 -4
000000ff 00ff 5 16777216 -2147483648 -2147483648



=== TEST 32: os.time and os.date
--- script
ngx.say(os.date("!%Y-%m-%d %H:%M:%S", 86400), " ", os.date("!%a %b %j", 0))
local t = os.date("!*t", 1e9)
ngx.say(t.year, " ", t.month, " ", t.day, " ", t.hour, " ", t.min, " ", t.sec, " ", t.wday, " ", t.yday, " ", tostring(t.isdst))
local fields = { year = 2024, month = 2, day = 29, hour = 13, min = 14, sec = 15 }
local time = os.time(fields)
local back = os.date("*t", time)
ngx.say(back.year, " ", back.month, " ", back.day, " ", back.hour, " ", back.min, " ", back.sec)
ngx.say(os.time { year = 2024, month = 14, day = 1, hour = 12 } == os.time { year = 2025, month = 2, day = 1, hour = 12 })
ngx.say(os.time { year = 2024, month = 1, day = 1 } == os.time { year = 2024, month = 1, day = 1, hour = 12 }, " ", (pcall(os.time, { year = 2024 })))
ngx.say(math.abs(os.time() - ngx.time()) <= 1, " ", os.clock() >= 0, " ", type(os.date()))
--- response_body
1970-01-02 00:00:00 Thu Jan 001
2001 9 9 1 46 40 1 252 false
2024 2 29 13 14 15
true
true false
true true string



=== TEST 33: goto, closures, varargs, numeric edge cases
--- script
for i = 1, 3 do
    if i == 2 then goto continue end
    ngx.print(i, " ")
    ::continue::
end
local counters = {}
for i = 1, 3 do counters[i] = function() i = i + 10 return i end end
ngx.say(counters[1](), " ", counters[1](), " ", counters[2]())
local function count(...) local a, b = ... return select("#", ...), a, b end
ngx.say(count(nil, 2, nil))
for i = 3, 1, -1 do ngx.print(i) end
for i = 1, 0 do ngx.print("never") end
ngx.say(" ", 0 / 0 ~= 0 / 0, " ", 1e15, " ", 2 ^ 53, " ", 10 / 2, " ", "10" + 5, " ", 1 .. 2)
--- response_body
1 3 11 21 12
3nil2
321 true 1e+15 9.007199254741e+15 5 15 12



=== TEST 34: ngx.say and ngx.print take what the host's take
--- script
ngx.say("s", 1, -2.5, nil, true, false)
ngx.print("a", "b")
ngx.print(1)
ngx.print("-", 2, "\n")
ngx.say()
ngx.say("", "x")
ngx.say(1e100, " ", 1 / 0, " ", 2 ^ 53, " ", 0.1)
ngx.print(nil, true)
ngx.print("\n")
--- response_body
s1-2.5niltruefalse
ab1-2

x
1e+100 inf 9.007199254741e+15 0.1
niltrue



=== TEST 35: arrays are flattened, with nil in their holes
--- script
ngx.say({ "hello, ", { "world: ", true, { " ", 4 } } }, "!")
ngx.say({ 1, nil, 3 })
ngx.say({}, "end")
--- response_body
hello, world: true 4!
1nil3
end



=== TEST 36: what cannot be output raises
--- script
local function try(...)
    local ok, err = pcall(ngx.say, ...)
    return ok, " ", err:match("got (%a+)") or err:match("non%-array table found"), "\n"
end
local results = { { try(tostring) }, { try(coroutine.create(function() end)) }, { try({ a = 1 }) }, { try({ { tostring } }) } }
ngx.print(results)
--- response_body
false function
false thread
false non-array table found
false function



=== TEST 37: output is told from a large table, and what it answers
--- script
local t = {}
for i = 1, 1000 do t[i] = i .. "\n" end
local one, two = ngx.print(t), ngx.say("end")
ngx.say(tostring(one), " ", tostring(two))
--- response_body eval
CORE::join('', map {"$_\n"} 1 .. 1000) . "end\n1 1\n"



=== TEST 38: ngx.status
--- script
ngx.status = 201
ngx.say(ngx.status)
--- error_code: 201
--- response_body
201



=== TEST 39: ngx.header
--- script
ngx.header["X-One"] = "1"
ngx.header.x_two = 2
ngx.header["X-List"] = { "a", "b" }
ngx.header["Content-Type"] = "text/csv"
ngx.header["X-Gone"] = "x"
ngx.header["X-Gone"] = nil
ngx.say("a,b")
--- response_headers
X-One: 1
X-Two: 2
X-List: a, b
Content-Type: text/csv
! X-Gone
--- response_body
a,b



=== TEST 40: ngx.header with Location and Set-Cookie
--- script
ngx.status = 302
ngx.header.location = "/elsewhere"
ngx.header["Set-Cookie"] = { "a=1", "b=2" }
--- error_code: 302
--- raw_response_headers_like: (?s)\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\nlocation: /elsewhere\r\n



=== TEST 41: a line break in a header makes no other header
--- script
ngx.header["X-One"] = "1\r\nX-Smuggled: 2"
ngx.say("sent")
--- response_body_like: sent|500
--- error_code_like: ^(?:200|500)$
--- raw_response_headers_unlike: (?mi)^X-Smuggled
--- error_log



=== TEST 42: ngx.exit with a status: nginx's page for it
--- script
ngx.exit(403)
ngx.say("never")
--- error_code: 403
--- response_body_like: 403 Forbidden



=== TEST 43: ngx.exit after output: what was said is the answer
--- script
ngx.status = 202
ngx.say("said")
ngx.exit(200)
ngx.say("never")
--- error_code: 202
--- response_body
said



=== TEST 44: ngx.exit from a coroutine and through pcall
--- script
pcall(coroutine.wrap(function()
    pcall(ngx.exit, 410)
    ngx.say("never")
end))
ngx.say("never")
--- error_code: 410
--- response_body_like: 410 Gone



=== TEST 45: ngx.exit wants a status
--- script
for _, value in ipairs { "x", {}, 1000, -1 } do
    ngx.print((pcall(ngx.exit, value)), " ")
end
ngx.say()
--- response_body
false false false false 



=== TEST 46: ngx.var: names that are allowed, in any case
--- request
GET /t?a=1&b=%20x
--- script
ngx.say(ngx.var.mine, " ", ngx.var.MINE, " ", ngx.var.uri, " ", ngx.var.arg_a, " [", ngx.var.arg_b, "] ", tostring(ngx.var.arg_none))
--- response_body
value value /t 1 [%20x] nil



=== TEST 47: ngx.var: others are refused, and which says so
--- script
for _, name in ipairs { "secret", "request_uri", "http_cookie", "arg", "no_such" } do
    local ok, err = pcall(function() return ngx.var[name] .. "" end)
    ngx.say(ok, " ", err:find(name, 1, true) ~= nil)
end
--- response_body
false true
false true
false true
false true
false true



=== TEST 48: ngx.var is not written
--- script
ngx.say((pcall(function() ngx.var.mine = "x" end)), " ", ngx.var.mine)
--- response_body
false value



=== TEST 49: the request
--- request
GET /t?a=1&b=2&b=3&flag&c=%20x
--- more_headers
X-Mine: yes
Accept: one
Accept: two
--- script
local args, headers = ngx.req.get_uri_args(), ngx.req.get_headers()
ngx.say(ngx.req.get_method(), " ", args.a, " ", table.concat(args.b, ","), " ", tostring(args.flag), " [", args.c, "] ", tostring(args.none))
ngx.say(headers["x-mine"], " ", type(headers.accept) == "table" and table.concat(headers.accept, ",") or headers.accept, " ", headers.host ~= nil)
--- response_body
GET 1 2,3 true [ x] nil
yes one,two true



=== TEST 50: text
--- script
ngx.say(ngx.escape_uri("a b/c?d=e&f+g"), " ", ngx.unescape_uri("b%20r56+7"))
ngx.say(ngx.encode_base64("hello"), " ", ngx.encode_base64("hello", true), " ", ngx.decode_base64("aGVsbG8="), " ", tostring(ngx.decode_base64("a b=")))
ngx.say(ngx.md5("hello"))
--- response_body
a%20b%2Fc%3Fd%3De%26f%2Bg b r56 7
aGVsbG8= aGVsbG8 hello nil
5d41402abc4b2a76b9719d911017c592



=== TEST 51: time
--- script
ngx.say(ngx.time() > 1e9, " ", ngx.time() % 1, " ", math.abs(ngx.now() - ngx.time()) <= 1)
--- response_body
true 0 true



=== TEST 52: globals are the run's own
--- script
counter = (counter or 0) + 1
string.mine = (string.mine or 0) + 1
ngx.say(counter, " ", string.mine, " ", _G.counter, " ", _G == _G._G, " ", _VERSION)
--- pipelined_requests eval
["GET /t", "GET /t", "GET /t"]
--- response_body eval
[("1 1 1 true Lua 5.1\n") x 3]
--- error_code eval
[200, 200, 200]



=== TEST 53: methods of strings are those of the string library as it was: a run cannot change them
--- script
function string.shout(s) return s:upper() .. "!" end
ngx.say(pcall(function() return ("x"):shout() end) and ("x"):shout() or "private", " ", ("x"):rep(2), " ", #("x"):rep(5))
--- response_body
private xx 5



=== TEST 54: what no script gets
--- script
local names = {}
for _, name in ipairs { "load", "loadstring", "dofile", "loadfile", "require", "module", "package", "debug", "io", "jit", "getfenv", "setfenv", "newproxy",
    "collectgarbage", "print" } do
    if _G[name] ~= nil then names[#names + 1] = name end
end
ngx.say(#names, " ", tostring(string.dump), " ", tostring(os.execute), " ", tostring(ngx.shared), " ", tostring(ngx.socket))
--- response_body
0 nil nil nil nil



=== TEST 55: an error: the profile's status and one line, nothing of what was said
--- script
ngx.status = 201
ngx.header["X-Mine"] = "1"
ngx.say("half")
error("on purpose")
--- error_code: 500
--- response_headers
! X-Mine
--- response_body_like: 500 Internal Server Error
--- response_body_unlike: half
--- error_log eval
[qr{sandboxed script ended by error: t\.lua:4: on purpose, profile: tenant, file: /\S*/t\.lua, client:}]



=== TEST 56: a syntax error
--- script
ngx.say("x")
x = = 1
--- error_code: 500
--- response_body_like: 500 Internal Server Error
--- error_log eval
[qr/sandboxed script ended by error/, "t.lua:2", "unexpected symbol"]



=== TEST 57: the instruction limit
--- script
ngx.say("half")
while true do end
--- error_code: 500
--- response_body_unlike: half
--- error_log eval
[qr/sandboxed script ended by cpu/, "t.lua:2", "tenant"]



=== TEST 58: the memory limit
--- script
local t = {}
while true do t = { t } end
--- error_code: 500
--- error_log eval
[qr/sandboxed script ended by memory/, "t.lua:2"]



=== TEST 59: the output limit
--- script
ngx.print(("x"):rep(65536))
ngx.print("x")
--- error_code: 500
--- response_body_unlike: xx
--- error_log eval
[qr/sandboxed script ended by output/, "t.lua"]



=== TEST 60: output up to the limit
--- script
ngx.print(("x"):rep(65535))
ngx.print("x")
--- response_body eval
"x" x 65536



=== TEST 61: the time limit
--- profile
    hotlua_sandbox patient { allow ngx.say; instructions 100000m; time 20ms; }
--- config
    location = /t { content_by_sandbox_file patient html/scripts/t.lua; }
--- script
while true do end
--- error_code: 500
--- error_log eval
[qr/sandboxed script ended by time/, "patient", "t.lua:1"]



=== TEST 62: a profile's own status
--- profile
    hotlua_sandbox polite { allow ngx.say; instructions 1000; status 503; }
--- config
    location = /t { content_by_sandbox_file polite html/scripts/t.lua; }
--- script
while true do end
--- error_code: 503
--- response_body_like: 503 Service
--- error_log eval
[qr/sandboxed script ended by cpu/]



=== TEST 63: names that a profile does not allow are not there
--- profile
    hotlua_sandbox narrow { allow ngx.say tostring math.floor; }
--- config
    location = /t { content_by_sandbox_file narrow html/scripts/t.lua; }
--- script
ngx.say(tostring(pcall), " ", tostring(string), " ", math.floor(1.5), " ", tostring(math.random), " ", tostring(_G), " ", tostring(ngx.print))
--- response_body
nil nil 1 nil nil nil



=== TEST 64: methods of strings without the string library
--- profile
    hotlua_sandbox narrow { allow ngx.say string.upper; }
--- config
    location = /t { content_by_sandbox_file narrow html/scripts/t.lua; }
--- script
ngx.say(("x"):upper(), " ", #"xyz", " ", "a" .. 1)
ngx.say(("x"):rep(2))
--- error_code: 500
--- error_log
t.lua:2



=== TEST 65: a limit is no error that could be caught
--- script
local ok = pcall(function() while true do end end)
ngx.say("caught")
--- error_code: 500
--- response_body_unlike: caught
--- error_log eval
[qr/sandboxed script ended by cpu/]



=== TEST 66: a script that says nothing answers 200 without a body
--- script
local x = 1
--- response_body



=== TEST 67: a file that is not there
--- config
    location = /t { content_by_sandbox_file tenant html/scripts/none.lua; }
--- script
ngx.say("x")
--- error_code: 404
--- error_log



=== TEST 68: one file for each path
--- config
    location ~ ^/run/(\w+)$ { content_by_sandbox_file tenant html/scripts/$1.lua; }
--- script
ngx.say("t")
--- pipelined_requests eval
["GET /run/t", "GET /run/none", "GET /run/t"]
--- error_code eval
[200, 404, 200]
--- response_body_like eval
["^t\$", "404", "^t\$"]
--- error_log



=== TEST 69: the Lua API: results are copies
--- config
    location = /t {
        content_by_lua_block {
            local script = assert(require("hotlua").sandbox("tenant"):load([[
                local a, b = ...
                b.list[3] = a
                return a + 1, b, nil, "x"
            ]], "=api"))
            local list = { 1, 2 }
            local ok, sum, b, none, text = script:run(5, { list = list })
            ngx.say(tostring(ok), " ", sum, " ", #b.list, " ", #list, " ", tostring(none), " ", text, " ", b.list ~= list)
        }
    }
--- script
return
--- response_body
true 6 3 2 nil x true



=== TEST 70: the Lua API: errors and limits
--- config
    location = /t {
        content_by_lua_block {
            local sandbox = require("hotlua").sandbox("tenant")
            local function try(source, ...)
                local script, err = sandbox:load(source, "=api")
                if not script then return ngx.say("load: ", (err:gsub("\n.*", ""))) end
                local ok, err, kind = script:run(...)
                ngx.say(tostring(ok), " ", type(err), " ", tostring(kind))
            end
            try("x = = 1")
            try("error('x')")
            try("while true do end")
            try("local t = {} while true do t = { t } end")
            try("ngx.print(('x'):rep(65537))")
            try("return function() end")
        }
    }
--- script
return
--- response_body
load: api:1: unexpected symbol near '='
nil string error
nil string cpu
nil string memory
nil string output
nil string error



=== TEST 71: the Lua API: a script is run again, each time afresh
--- config
    location = /t {
        content_by_lua_block {
            local script = assert(require("hotlua").sandbox("tenant"):load("n = (n or 0) + (...) return n", "=api"))
            ngx.say(select(2, script:run(1)), select(2, script:run(2)), select(2, script:run(3)))
        }
    }
--- script
return
--- response_body
123



=== TEST 72: the line of a verdict is the one that ran
--- profile
    hotlua_sandbox lines { allow ngx.say string; instructions 10001; }
--- config
    location = /t { content_by_sandbox_file lines html/scripts/t.lua; }
--- script
local function first(s)
    return #s
end
ngx.say(first("x"))

local function spin()
    while true do

    end
end

local n = 0
spin()
n = n + 1
--- error_code: 500
--- error_log
limit of 10001 instructions at t.lua:7, profile
