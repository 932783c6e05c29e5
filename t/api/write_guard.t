# Globals that requests set are warned of.
use Test::Nginx::Socket 'no_plan';

log_level('info');
no_long_string();
run_tests();

__DATA__

=== TEST 1: once for each, with the place
--- http_config
    lua_capture_error_log 32k;
--- config
    location = /t {
        content_by_lua_block {
            local function count()
                hits = (hits or 0) + 1
            end
            count()
            _G[5] = "five"
            ngx.say(hits)
            local lines = require("ngx.errlog").get_logs()
            for i = 3, #lines, 3 do
                if lines[i]:find("guard", 1, true) then ngx.say((lines[i]:gsub("^.-%[", "["):gsub(", client.*", ""))) end
            end
        }
    }
--- request eval
["GET /t", "GET /t"]
--- response_body_like eval
[qr/\A1
\[warn\] \S+ \*\d \[lua\] _G write guard: writing a global Lua variable \('hits'\) which may lead to race conditions between concurrent requests, so prefer the use of 'local' variables
stack traceback:
\tcontent_by_lua\(nginx.conf:\d+\):3: in function 'count'
\tcontent_by_lua\(nginx.conf:\d+\):5: in main chunk
\[warn\] \S+ \*\d \[lua\] _G write guard: writing a global Lua variable \('5'\) [^\n]*
stack traceback:
\tcontent_by_lua\(nginx.conf:\d+\):6: in main chunk
\z/, qr/\A2\n\z/]



=== TEST 2: those that init sets are nothing to warn of
--- http_config
    init_by_lua_block { from_init = 1 }
    init_worker_by_lua_block { from_init_worker = 2 }
--- config
    location = /t {
        content_by_lua_block {
            from_init = from_init + 10
            ngx.say(from_init, " ", from_init_worker, " ", not_set)
        }
    }
--- request
GET /t
--- response_body
11 2 nil
--- no_error_log
[warn]



=== TEST 3: a filter shows its own frames
--- config
    location = /t {
        content_by_lua_block { ngx.say("ok") }
        header_filter_by_lua_block { filtered = true }
    }
--- request
GET /t
--- response_body
ok
--- error_log eval
["writing a global Lua variable ('filtered')", qr/\theader_filter_by_lua\(nginx.conf:\d+\):1: in main chunk, client: /]
--- no_error_log
hotlua:output.lua



=== TEST 4: a module that sets its globals strictly is free to
--- http_config
    init_by_lua_block {
        setmetatable(_G, { __newindex = function(_, name) error("no global " .. name, 2) end })
    }
--- config
    location = /t {
        content_by_lua_block {
            ngx.say(select(2, pcall(function() forbidden = 1 end)))
        }
    }
--- request
GET /t
--- response_body_like: no global forbidden
--- no_error_log
[warn]
