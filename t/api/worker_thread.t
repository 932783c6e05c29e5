# ngx.run_worker_thread: functions of modules in threads of nginx's thread pools.
use Test::Nginx::Socket 'no_plan';

$ENV{TEST_NGINX_HTML_DIR} ||= html_dir();

add_block_preprocessor(sub {
    my ($block) = @_;
    $block->set_value(main_config => 'thread_pool pool threads=2;') if !defined $block->main_config;
    my $http = 'lua_package_path "$TEST_NGINX_HTML_DIR/?.lua;;";' . "\n" . ($block->http_config // '');
    $block->set_value(http_config => $http);
});

run_tests();

__DATA__

=== TEST 1: what is given goes into the thread, what is returned comes back
--- config
    location = /t {
        content_by_lua_block {
            local function back(...) return ngx.run_worker_thread("pool", "echo", "back", ...) end
            local function say(...)
                local all = { ... }
                for i = 1, select("#", ...) do all[i] = tostring(all[i]) end
                ngx.say(table.concat(all, " "))
            end
            say(back())
            say(back(nil))
            say(back(nil, true, nil, false, nil))
            say(back(1, -1.5, 2^53, 1e300, 0/0 ~= 0/0, "text", "", ngx.null == select(2, back(ngx.null))))
            local _, nul, long = back("a\0b\255", ("x"):rep(100000))
            say(#nul, nul == "a\0b\255", #long)
            local _, zero = back(-0.0)
            say(1 / zero)
        }
    }
--- user_files
>>> echo.lua
return { back = function(...) return ... end }
--- request
GET /t
--- response_body
true
true nil
true nil true nil false nil
true 1 -1.5 9.007199254741e+15 1e+300 true text  true
4 true 100000
-inf



=== TEST 2: tables, with tables as keys and values
--- config
    location = /t {
        content_by_lua_block {
            local function back(...) return ngx.run_worker_thread("pool", "echo", "back", ...) end
            local _, got = back({ 1, "two", { 3, deep = { 4 } }, name = "value", [true] = false, [1.5] = "half" })
            ngx.say(got[1], got[2], got[3][1], got[3].deep[1], got.name, tostring(got[true]), got[1.5])
            _, got = back({ [{ "key" }] = { "value" } })
            local key, value = next(got)
            ngx.say(key[1], value[1])
            local twice = { "twice" }
            _, got = back({ twice, twice })
            ngx.say(got[1][1], got[2][1], " ", got[1] ~= twice)
            _, got = back(setmetatable({ 1 }, { __index = { x = 1 }, __pairs = error, __len = error }))
            ngx.say(got[1], tostring(got.x))
            _, got = back({})
            ngx.say(tostring(next(got)))
            _, got = ngx.run_worker_thread("pool", "echo", "length", { 1, 2, 3 })
            ngx.say(got)
        }
    }
--- user_files
>>> echo.lua
return { back = function(...) return ... end, length = function(list) return #list end }
--- request
GET /t
--- response_body
1two34valuefalsehalf
keyvalue
twicetwice true
1nil
nil
3



=== TEST 3: what cannot be copied
--- config
    location = /t {
        content_by_lua_block {
            local function say(what, ...) ngx.say(what, ": ", select(2, ...)) end
            local function back(...) return ngx.run_worker_thread("pool", "echo", "back", ...) end
            local values = {
                ["function"] = print, userdata = newproxy(), coroutine = coroutine.create(function() end),
                cdata = require("ffi").new "int64_t",
            }
            for _, name in ipairs { "function", "userdata", "coroutine", "cdata" } do
                say(name, back(values[name]))
                say(name .. " in a table", back(1, { { values[name] } }))
                say(name .. " as a key", back({ [values[name]] = 1 }))
                say(name .. " returned", ngx.run_worker_thread("pool", "echo", "make", name))
            end
            local circle = {}
            circle.circle = circle
            say("circle", back(circle))
            say("circle returned", ngx.run_worker_thread("pool", "echo", "make", "circle"))
        }
    }
--- user_files
>>> echo.lua
local make = {
    ["function"] = function() return print end,
    userdata = function() return newproxy() end,
    coroutine = function() return { coroutine.create(print) } end,
    cdata = function() return require("ffi").new "int64_t" end,
    circle = function() local circle = {} circle[circle] = 1 return circle end,
}
return { back = function(...) return ... end, make = function(name) return 1, make[name]() end }
--- request
GET /t
--- response_body
function: unsupported Lua type: LUA_TFUNCTION in the argument
function in a table: unsupported Lua type: LUA_TFUNCTION in the argument
function as a key: unsupported Lua type: LUA_TFUNCTION in the argument
function returned: unsupported Lua type: LUA_TFUNCTION in the return value
userdata: unsupported Lua type: LUA_TUSERDATA in the argument
userdata in a table: unsupported Lua type: LUA_TUSERDATA in the argument
userdata as a key: unsupported Lua type: LUA_TUSERDATA in the argument
userdata returned: unsupported Lua type: LUA_TUSERDATA in the return value
coroutine: unsupported Lua type: LUA_TTHREAD in the argument
coroutine in a table: unsupported Lua type: LUA_TTHREAD in the argument
coroutine as a key: unsupported Lua type: LUA_TTHREAD in the argument
coroutine returned: unsupported Lua type: LUA_TTHREAD in the return value
cdata: unsupported Lua type in the argument
cdata in a table: unsupported Lua type in the argument
cdata as a key: unsupported Lua type in the argument
cdata returned: unsupported Lua type in the return value
circle: suspicious circular references, table depth exceed max depth: 100 in the argument
circle returned: suspicious circular references, table depth exceed max depth: 100 in the return value



=== TEST 4: how deep tables may be
--- config
    location = /t {
        content_by_lua_block {
            local function tower(height)
                local top = {}
                for _ = 2, height do top = { top } end
                return top
            end
            for _, height in ipairs { 98, 99, 100, 10000 } do
                ngx.say(height, " ", (ngx.run_worker_thread("pool", "echo", "back", tower(height))))
            end
            -- Copied naively this would take for ever.
            local wide = {}
            for _ = 2, 90 do wide = { wide, wide } end
            ngx.say((ngx.run_worker_thread("pool", "echo", "back", wide)))
            local low = tower(60)
            ngx.say((ngx.run_worker_thread("pool", "echo", "back", { low, { { low } } })))
            local again = tower(40)
            for _ = 1, 58 do again = { again, low } end
            ngx.say(ngx.run_worker_thread("pool", "echo", "back", again))
        }
    }
--- user_files
>>> echo.lua
return { back = function(...) return ... end }
--- request
GET /t
--- response_body
98 true
99 true
100 false
10000 false
true
true
falsesuspicious circular references, table depth exceed max depth: 100 in the argument



=== TEST 5: bad arguments, pools, modules and functions
--- config
    location = /t {
        content_by_lua_block {
            local function try(...)
                local ok, err = ngx.run_worker_thread(...)
                ngx.say(tostring(ok), " ", (tostring(err):match "^[^\n]*":gsub("^/.*/", "")))
            end
            try()
            try("pool", "echo")
            try({}, "echo", "back")
            try("pool", nil, "back")
            try("pool", "echo", print)
            try("none", "echo", "back")
            try(1, "echo", "back")
            try("default", "echo", "back")
            try("pool\0", "echo", "back")
            try("pool", "no.such.module", "back")
            try("pool", "no_table", "back")
            try("pool", "raises", "back")
            try("pool", "echo", "none")
            try("pool", "echo", "value")
            try("pool", "echo", "raises")
            try("pool", "echo", "raises_table")
            try("pool", "echo", "raises_nothing")
            try("pool", "echo", "yields")
            try("pool", "echo", 1)
        }
    }
--- user_files
>>> echo.lua
return {
    back = function(...) return ... end,
    value = 1,
    raises = function() error("broken") end,
    raises_table = function() error({}) end,
    raises_nothing = function() error() end,
    yields = function() coroutine.yield() end,
    ["1"] = function() return "one" end,
}
>>> no_table.lua
return true
>>> raises.lua
error("does not load")
--- request
GET /t
--- response_body eval
"false expecting at least 3 arguments
false expecting at least 3 arguments
false threadpool should be a string
false module name should be a string
false function name should be a string
false thread pool none not found
false thread pool 1 not found
false thread pool default not found
false thread pool pool\0 not found
false module 'no.such.module' not found:
false invalid lua module
false raises.lua:1: does not load
false invalid function
false invalid function
false echo.lua:4: broken
false unknown reason
false unknown reason
false echo.lua:7: attempt to yield across C-call boundary
true one
"



=== TEST 6: what there is in a thread
--- http_config
    lua_shared_dict dict 1m;
--- config
    location = /t {
        content_by_lua_block {
            ngx.shared.dict:set("from", "request")
            ngx.print(select(2, ngx.run_worker_thread("pool", "api", "try")))
            ngx.say(ngx.shared.dict:get("to"))
        }
    }
--- user_files
>>> api.lua
local function try()
    local said = {}
    local function say(value) said[#said + 1] = tostring(value) .. "\n" end
    say(ngx.decode_base64(ngx.encode_base64("text")))
    say(ngx.md5("text"))
    say(#ngx.md5_bin("text") + #ngx.sha1_bin("text") + #ngx.hmac_sha1("key", "text"))
    say(ngx.crc32_short("text") == ngx.crc32_long("text"))
    say(ngx.encode_args(ngx.decode_args("a=b&c=1")):len())
    say(ngx.quote_sql_str("it's"))
    say(ngx.re.match("hello, 1234", [[(\d+)]], "jo")[1])
    say(ngx.re.gsub("hello", "[eo]", "*"))
    say(ngx.re.find("hello", "l+"))
    say(require("ngx.re").split("a,b", ",")[2])
    say(ngx.config.subsystem .. ngx.config.ngx_lua_version)
    say(ngx.http_time(0))
    say(ngx.now() > 1e9 and ngx.time() > 1e9)
    say(ngx.shared.dict:get("from"))
    say(ngx.shared.dict:set("to", "thread"))
    say(require("ngx") == ngx)
    for _, name in ipairs { "say", "sleep", "exit", "log", "var", "ctx", "req", "timer", "thread", "worker", "location" } do
        if ngx[name] ~= nil then say(name .. " is there") end
    end
    return table.concat(said)
end
return { try = try }
--- request
GET /t
--- response_body
text
1cb251ec0d568de6a929b520c4aed8d1
56
true
7
'it\'s'
1234
h*ll*
3
b
http10023
Thu, 01 Jan 1970 00:00:00 GMT
true
request
true
true
thread



=== TEST 7: the caller's search path
--- config
    location = /t {
        content_by_lua_block {
            package.path = ngx.config.prefix() .. "html/other/?.lua"
            ngx.say(select(2, ngx.run_worker_thread("pool", "moved", "name")))
        }
    }
--- user_files
>>> other/moved.lua
return { name = function(...) return "moved" end }
--- request
GET /t
--- response_body
moved



=== TEST 8: VMs are kept, and there are only so many
--- http_config
    lua_worker_thread_vm_pool_size 2;
--- config
    location = /t {
        content_by_lua_block {
            ngx.say(select(2, ngx.run_worker_thread("pool", "counts", "count")))
            ngx.say(select(2, ngx.run_worker_thread("pool", "counts", "count")))
            local function call() return ngx.run_worker_thread("pool", "counts", "pause") end
            local threads = {}
            for i = 1, 3 do threads[i] = ngx.thread.spawn(call) end
            ngx.say(select(3, ngx.thread.wait(threads[3])))
            for i = 1, 2 do ngx.say(select(2, ngx.thread.wait(threads[i]))) end
            ngx.say((ngx.run_worker_thread("pool", "counts", "count")))
        }
    }
--- user_files
>>> counts.lua
local n = 0
local ffi = require "ffi"
ffi.cdef "int usleep(unsigned int);"
return { count = function() n = n + 1 return n end, pause = function() ffi.C.usleep(20000) return "paused" end }
--- request
GET /t
--- response_body
1
2
no available Lua vm
truepaused
truepaused
true



=== TEST 9: no VMs at all
--- http_config
    lua_worker_thread_vm_pool_size 0;
--- config
    location = /t { content_by_lua_block { ngx.say(ngx.run_worker_thread("pool", "none", "none")) } }
--- request
GET /t
--- response_body
falseno available Lua vm



=== TEST 10: more calls than the pool's queue takes
--- main_config
    thread_pool pool threads=1 max_queue=1;
--- config
    location = /t {
        content_by_lua_block {
            local function call() return ngx.run_worker_thread("pool", "slow", "pause") end
            local threads, failed = {}, 0
            for i = 1, 4 do threads[i] = ngx.thread.spawn(call) end
            for i = 1, 4 do
                local _, ok, err = ngx.thread.wait(threads[i])
                if not ok then failed = failed + 1 ngx.say(err) end
            end
            ngx.say((ngx.run_worker_thread("pool", "slow", "pause")))
        }
    }
--- user_files
>>> slow.lua
local ffi = require "ffi"
ffi.cdef "int usleep(unsigned int);"
return { pause = function() ffi.C.usleep(50000) end }
--- request
GET /t
--- response_body_like
\A(?:ngx_thread_task_post failed\n){2,3}true
--- error_log
thread pool "pool" queue overflow: 1 tasks waiting



=== TEST 11: light threads and coroutines wait for it; a killed one gets nothing
--- config
    location = /t {
        content_by_lua_block {
            local function call(value) return ngx.run_worker_thread("pool", "slow", "pause", value) end
            local killed = ngx.thread.spawn(call, "killed")
            local first, second = ngx.thread.spawn(call, "first"), ngx.thread.spawn(coroutine.wrap(function() return call("second") end))
            ngx.say(coroutine.status(first))
            ngx.say(ngx.thread.kill(killed))
            ngx.say(select(3, ngx.thread.wait(first)))
            ngx.say(select(3, ngx.thread.wait(second)))
            ngx.say(select(3, pcall(call, "protected")))
        }
    }
--- user_files
>>> slow.lua
local ffi = require "ffi"
ffi.cdef "int usleep(unsigned int);"
return { pause = function(...) ffi.C.usleep(2000) return ... end }
--- request
GET /t
--- response_body
running
1
first
second
protected



=== TEST 12: a request that ends drops what its thread returns
--- config
    location = /t {
        content_by_lua_block {
            ngx.thread.spawn(function()
                ngx.run_worker_thread("pool", "slow", "pause", 20000)
                ngx.log(ngx.ERR, "went on")
            end)
            ngx.say("ends")
            ngx.exit(200)
        }
    }
    location = /next { content_by_lua_block { ngx.say(select(2, ngx.run_worker_thread("pool", "slow", "pause", 40000))) } }
--- user_files
>>> slow.lua
local ffi = require "ffi"
ffi.cdef "int usleep(unsigned int);"
return { pause = function(us) ffi.C.usleep(us) return "paused" end }
--- pipelined_requests eval
["GET /t", "GET /t", "GET /next"]
--- response_body eval
["ends\n", "ends\n", "paused\n"]
--- no_error_log
[error]



=== TEST 13: without the code cache modules are loaded each time
--- config
    lua_code_cache off;
    location = /t {
        content_by_lua_block {
            for i = 1, 2 do ngx.say(select(2, ngx.run_worker_thread("pool", "counts", "count"))) end
        }
    }
--- user_files
>>> counts.lua
local n = 0
return { count = function() n = n + 1 return n end }
--- request
GET /t
--- response_body
1
1



=== TEST 14: where nothing can wait
--- config
    location = /t {
        set_by_lua_block $answer { return (select(2, pcall(ngx.run_worker_thread, "pool", "a", "b"))) }
        return 200 "$answer\n";
    }
--- request
GET /t
--- response_body
API disabled in the context of set_by_lua*
