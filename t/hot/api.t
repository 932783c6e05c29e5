# require "hotlua": what scripts can ask and change of generations.
use Test::Nginx::Socket 'no_plan';

run_tests();

__DATA__

=== TEST 1: the generation is the one that the control API names
--- config
    location /hotlua/ { hotlua_control; }
    location /t {
        content_by_lua_block {
            local hotlua = require "hotlua"
            ngx.say(type(hotlua.generation()), " ", hotlua.generation() > 0)
        }
    }
--- request
GET /t
--- error_code: 200
--- response_body
number true



=== TEST 2: it is found again whatever a script does to package.loaded
--- config
    location /t {
        content_by_lua_block {
            local hotlua = require "hotlua"
            package.loaded.hotlua = nil
            ngx.say(require "hotlua" == hotlua, " ", package.loaded.hotlua == hotlua)
        }
    }
--- pipelined_requests eval
["GET /t", "GET /t"]
--- error_code eval
[200, 200]
--- response_body eval
["true true\n", "true true\n"]



=== TEST 3: a state is made once
--- config
    location /t {
        content_by_lua_block {
            local hotlua = require "hotlua"
            local count = hotlua.state("count", function() return { n = 0 } end)
            count.n = count.n + 1
            ngx.say(count.n, " ", hotlua.state("count") == count, " ", tostring(hotlua.state("none")))
        }
    }
--- pipelined_requests eval
["GET /t", "GET /t", "GET /t"]
--- error_code eval
[200, 200, 200]
--- response_body eval
["1 true nil\n", "2 true nil\n", "3 true nil\n"]



=== TEST 4: keys are any values; false is a value and nil is none
--- config
    location /t {
        content_by_lua_block {
            local state = require("hotlua").state
            local key = {}
            local function is(value) return function() return value end end
            ngx.say(state(key, is("table")), " ", state(1, is("number")), " ", state("1", is("string")), " ", state(true, is("boolean")))
            ngx.say(state(key), " ", state(1), " ", state("1"), " ", state(true))
            ngx.say(tostring(state("false", is(false))), " ", tostring(state("false", is(true))))
            ngx.say(tostring(state("nil", is(nil))), " ", tostring(state("nil", is(true))))
        }
    }
--- request
GET /t
--- error_code: 200
--- response_body
table number string boolean
table number string boolean
false false
nil true



=== TEST 5: an init that raises leaves nothing, and what it raises comes through
--- config
    location /t {
        content_by_lua_block {
            local state = require("hotlua").state
            local raised = { "a table" }
            local ok, err = pcall(state, "key", function() error(raised) end)
            ngx.say(ok, " ", err == raised, " ", tostring(state("key")), " ", state("key", function() return 1 end))
        }
    }
--- request
GET /t
--- error_code: 200
--- response_body
false true nil 1



=== TEST 6: an init may wait, and the first value that is made stays
--- config
    location /t {
        content_by_lua_block {
            local state = require("hotlua").state
            local value = state("slow", function()
                ngx.sleep(0.001)
                state("slow", function() return "meanwhile" end)
                return "late"
            end)
            ngx.say(value)
        }
    }
--- request
GET /t
--- error_code: 200
--- response_body
meanwhile



=== TEST 7: arguments are checked, and blamed on the caller
--- config
    location /t {
        content_by_lua_block {
            local hotlua = require "hotlua"
            local function try(call)
                local ok, err = pcall(call)
                ngx.say((tostring(err):gsub("^content_by_lua%(.-%):", "")))
            end
            try(function() local _ = hotlua.state() end)
            try(function() local _ = hotlua.state(0/0) end)
            try(function() local _ = hotlua.state("key", 1) end)
            try(function() hotlua.on_retire() end)
            try(function() hotlua.on_retire("text") end)
            try(function() local _ = hotlua.invalidate() end)
            try(function() local _ = hotlua.invalidate("a", {}) end)
            try(function() local _ = hotlua.publish() end)
            try(function() local _ = hotlua.publish{} end)
            try(function() local _ = hotlua.publish{ files = {} } end)
            try(function() local _ = hotlua.publish{ files = { "text" } } end)
            try(function() local _ = hotlua.publish{ files = { a = true } } end)
            try(function() local _ = hotlua.publish{ reason = 1, files = { a = "" } } end)
        }
    }
--- request
GET /t
--- error_code: 200
--- response_body
7: bad argument #1 to 'state' (key expected, got nil)
8: bad argument #1 to 'state' (key expected, got NaN)
9: bad argument #2 to 'state' (function expected, got number)
10: bad argument #1 to 'on_retire' (function expected, got nil)
11: bad argument #1 to 'on_retire' (function expected, got string)
12: bad argument #1 to 'invalidate' (string expected, got no value)
13: bad argument #2 to 'invalidate' (string expected, got table)
14: bad argument #1 to 'publish' (table expected, got nil)
15: bad argument #1 to 'publish' (table expected as 'files', got nil)
16: bad argument #1 to 'publish' (at least one of 'files' expected)
17: bad argument #1 to 'publish' (string expected as a name of 'files', got number)
18: bad argument #1 to 'publish' (string or false expected as file 'a', got boolean)
19: bad argument #1 to 'publish' (string expected as 'reason', got number)



=== TEST 8: a module is reloaded, and the request that asked keeps its own
--- http_config
    lua_package_path "$TEST_NGINX_SERVER_ROOT/html/?.lua;;";
--- config
    location /t {
        content_by_lua_block {
            local hotlua = require "hotlua"
            local before, load = hotlua.generation(), require("counted").load
            local after, err = hotlua.invalidate("counted")
            ngx.say(after > before, " ", tostring(err), " ", hotlua.generation() == before, " ", require("counted").load == load)
        }
    }
    location /next {
        content_by_lua_block { ngx.say(require("counted").load) }
    }
--- user_files
>>> counted.lua
local hotlua = require "hotlua"
local loads = hotlua.state("loads", function() return { n = 0 } end)
loads.n = loads.n + 1
return { load = loads.n }
--- pipelined_requests eval
["GET /next", "GET /t", "GET /next"]
--- error_code eval
[200, 200, 200]
--- response_body eval
["1\n", "true nil true true\n", "2\n"]



=== TEST 9: what is refused is told
--- config
    location /t {
        content_by_lua_block {
            ngx.say(tostring(require("hotlua").invalidate("no.such.module")))
            ngx.say((select(2, require("hotlua").invalidate("no.such.module"))))
        }
    }
--- request
GET /t
--- error_code: 200
--- response_body_like
\Anil\nno module "no\.such\.module" .*



=== TEST 10: nobody waits outside of a request
--- http_config
    init_worker_by_lua_block {
        local hotlua = require "hotlua"
        hotlua.state("refusals", function()
            local _, one = pcall(function() local _ = hotlua.invalidate("a") end)
            local _, two = pcall(function() local _ = hotlua.publish{ files = { ["a.lua"] = false } } end)
            return one .. "\n" .. two
        end)
    }
--- config
    location /t { content_by_lua_block { ngx.say(require("hotlua").state("refusals")) } }
--- request
GET /t
--- error_code: 200
--- response_body_like
\Ainit_worker_by_lua\(nginx\.conf:\d+\):4: API disabled in the context of init_worker_by_lua\*
init_worker_by_lua\(nginx\.conf:\d+\):5: API disabled in the context of init_worker_by_lua\*
