# Directives of the worker process.
use Test::Nginx::Socket 'no_plan';

no_long_string();
run_tests();

__DATA__

=== TEST 1: lua_load_resty_core is taken and warned of
--- http_config
    lua_load_resty_core off;
--- config
    location = /t {
        content_by_lua_block { ngx.say(require("resty.core") == package.loaded["resty.core"]) }
    }
--- request
GET /t
--- response_body
true
--- error_log eval
qr/\[warn\] .*? lua_load_resty_core is deprecated \(the lua-resty-core library is required since ngx_lua v0\.10\.16\) in \S*nginx\.conf:\d+/



=== TEST 2: lua_thread_cache_max_entries
--- http_config
    lua_thread_cache_max_entries 0;
--- config
    location = /t {
        content_by_lua_block { ngx.sleep(0) ngx.say(coroutine.running() ~= nil) }
    }
--- request eval
["GET /t", "GET /t", "GET /t"]
--- response_body eval
["true\n", "true\n", "true\n"]



=== TEST 3: a number must be one
--- http_config
    lua_thread_cache_max_entries many;
--- config
--- must_die
--- error_log
"lua_thread_cache_max_entries" directive invalid number



=== TEST 4: lua_malloc_trim takes a number
--- http_config
    lua_malloc_trim -1;
--- config
--- must_die
--- error_log
"lua_malloc_trim" directive invalid number



=== TEST 5: a directive stands once
--- http_config
    lua_malloc_trim 1;
    lua_malloc_trim 2;
--- config
--- must_die
--- error_log
"lua_malloc_trim" directive is duplicate



=== TEST 6: lua_capture_error_log must hold the longest line
--- http_config
    lua_capture_error_log 2k;
--- config
--- must_die
--- error_log
invalid capture error log size "2k": a line may have 2048 bytes, so it must be more



=== TEST 7: lua_capture_error_log takes a size
--- http_config
    lua_capture_error_log much;
--- config
--- must_die
--- error_log
invalid capture error log size "much"



=== TEST 8: lua_sa_restart: system calls that nginx's signals interrupt go on
--- http_config
    init_by_lua_block {
        local ffi = require "ffi"
        ffi.cdef [[
            struct conf_sigaction { void *handler; unsigned long mask[16]; int flags; void (*restorer)(void); };
            int sigaction(int signal, const struct conf_sigaction *new, struct conf_sigaction *old);
        ]]
        -- Says of a signal whether it has a handler, and whether that one restarts.
        function restarts(signal)
            local action = ffi.new "struct conf_sigaction"
            assert(ffi.C.sigaction(signal, nil, action) == 0)
            return action.handler ~= nil and bit.band(action.flags, 0x10000000) ~= 0
        end
    }
    init_worker_by_lua_block {
        local HUP, ALRM, QUIT, TERM = 1, 14, 3, 15
        in_init_worker = tostring(restarts(HUP)) .. tostring(restarts(ALRM))
            .. tostring(restarts(QUIT)) .. tostring(restarts(TERM))
    }
--- config
    location = /t {
        content_by_lua_block { ngx.say(in_init_worker, " ", restarts(14)) }
    }
--- request
GET /t
--- response_body
truetruetruetrue true



=== TEST 9: lua_sa_restart off
--- http_config
    lua_sa_restart off;
    init_by_lua_block {
        local ffi = require "ffi"
        ffi.cdef [[
            struct conf_sigaction { void *handler; unsigned long mask[16]; int flags; void (*restorer)(void); };
            int sigaction(int signal, const struct conf_sigaction *new, struct conf_sigaction *old);
        ]]
    }
--- config
    location = /t {
        content_by_lua_block {
            local ffi = require "ffi"
            local action = ffi.new "struct conf_sigaction"
            ngx.say(ffi.C.sigaction(14, nil, action), " ", action.handler ~= nil, " ", bit.band(action.flags, 0x10000000))
        }
    }
--- request
GET /t
--- response_body
0 true 0
