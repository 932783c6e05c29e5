# resty.core and its parts, LuaJIT's table and thread modules.
use Test::Nginx::Socket 'no_plan';

no_long_string();
run_tests();

__DATA__

=== TEST 1: every part loads, and is loaded from the start
--- config
    location = /t {
        content_by_lua_block {
            ngx.say(package.loaded["resty.core"] == require "resty.core", " ", require("resty.core").version)
            for _, name in ipairs {
                "base", "base64", "coroutine", "ctx", "exit", "hash", "misc", "ndk", "param", "phase", "regex", "request",
                "response", "shdict", "socket", "time", "uri", "utils", "var", "worker",
            } do
                local module = require("resty.core." .. name)
                if type(module) ~= "table" or package.loaded["resty.core." .. name] ~= module then ngx.say(name) end
            end
            local base = require "resty.core.base"
            package.loaded["resty.core.base"] = nil
            ngx.say(require "resty.core.base" == base)
        }
    }
--- request
GET /t
--- response_body
true 0.1.25
true



=== TEST 2: not the one on the disk
--- http_config
    lua_package_path "$prefix/html/?.lua;;";
--- config
    location = /t {
        content_by_lua_block {
            package.loaded["resty.core.base"] = nil
            ngx.say(require("resty.core.base").version, " ", require("ngx.errlog").version)
        }
    }
--- user_files
>>> resty/core/base.lua
return { version = "disk" }
>>> ngx/errlog.lua
return { version = "disk" }
--- request
GET /t
--- response_body
0.1.25 0.1.25



=== TEST 3: buffers and cells
--- config
    location = /t {
        content_by_lua_block {
            local base = require "resty.core.base"
            local ffi = require "ffi"
            local shared = base.get_string_buf(10)
            ngx.say(base.get_string_buf_size(), " ", ffi.sizeof(shared), " ", base.get_string_buf(4096) == shared)
            ngx.say(base.get_string_buf(10, true) == shared, " ", ffi.sizeof(base.get_string_buf(5000)))
            base.set_string_buf_size(64)
            ngx.say(base.get_string_buf_size(), " ", ffi.sizeof(base.get_string_buf(1)))
            base.set_string_buf_size(0)
            ngx.say(base.get_string_buf_size())
            base.get_size_ptr()[0] = 7
            ngx.say(tonumber(base.get_size_ptr()[0]), " ", base.get_errmsg_ptr()[0] == nil)
        }
    }
--- request
GET /t
--- response_body
4096 4096 true
false 5000
64 64
64
7 true



=== TEST 4: tables and subsystems
--- config
    location = /t {
        content_by_lua_block {
            local base = require "resty.core.base"
            local cleared = base.new_tab(4, 4)
            cleared[1], cleared.a = 1, 2
            base.clear_tab(cleared)
            ngx.say(next(cleared))
            local references = {}
            ngx.say(base.ref_in_table(references, "a"), base.ref_in_table(references, nil), base.ref_in_table(references, "b"))
            ngx.say(pcall(base.allows_subsystem, "stream", "http"))
            ngx.say(select(2, pcall(base.allows_subsystem, "stream")))
        }
    }
--- request
GET /t
--- response_body
nil
1-12
true
unsupported subsystem: http



=== TEST 5: the request
--- http_config
    init_by_lua_block { in_init = require("resty.core.base").get_request() == nil and exdata() == nil }
--- config
    location = /t {
        content_by_lua_block {
            local request = require("resty.core.base").get_request()
            ngx.say(type(request), " ", request == exdata(), " ", request == require("thread.exdata")(), " ", in_init)
            ngx.sleep(0.001)
            ngx.say(request == require("resty.core.base").get_request())
        }
    }
--- request
GET /t
--- response_body
cdata true true true
true



=== TEST 6: what the parts offer
--- config
    location = /t {
        content_by_lua_block {
            require("resty.core.response").set_resp_header(nil, "X-Set", "value")
            local misc = require "resty.core.misc"
            local kept
            misc.register_ngx_magic_key_getter("magic", function() return "got " .. tostring(kept) end)
            misc.register_ngx_magic_key_setter("magic", function(value) kept = value end)
            ngx.magic = 5
            ngx.say(ngx.magic, " ", rawget(ngx, "magic"))

            local get_ctx_table = require("resty.core.ctx").get_ctx_table
            local mine = {}
            ngx.say(get_ctx_table(mine) == mine, " ", ngx.ctx == mine, " ", get_ctx_table({}) == mine)

            local replace = require("resty.core.utils").str_replace_char
            ngx.say(replace("a-b-c", "-", "_"), " ", replace("a.b", ".", "%"), " ", replace("a--b", "--", "_"))

            local time = require "resty.core.time"
            ngx.say(time.monotonic_msec() > 0, " ", math.abs(time.monotonic_time() * 1000 - time.monotonic_msec()) < 1)

            require("resty.core.request").set_req_header("X-Asked", "value", true)
            ngx.say(ngx.req.get_headers()["X-Asked"])
        }
    }
--- request
GET /t
--- response_body
got 5 nil
true true true
a_b_c a%b a--b
true true
value
--- response_headers
X-Set: value





=== TEST 7: LuaJIT's modules, with and without a require
--- config
    location = /t {
        content_by_lua_block {
            ngx.say(table.nkeys({ 1, 2, a = 3 }), table.isempty({}), table.isarray({ 1 }), #table.clone({ 1, 2 }))
            local list = table.new(3, 0)
            list[1] = 1
            table.clear(list)
            ngx.say(next(list))
            for _, name in ipairs { "new", "clear", "isempty", "isarray", "nkeys", "clone" } do
                if require("table." .. name) ~= table[name] then ngx.say(name) end
            end
            local exdata2 = require "thread.exdata2"
            ngx.say(exdata2 == _G.exdata2, " ", ffi)
        }
    }
--- request
GET /t
--- response_body
3truetrue2
nil
true nil
