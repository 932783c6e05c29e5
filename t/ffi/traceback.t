# What the log says of Lua that raised.
use Test::Nginx::Socket 'no_plan';

log_level('info');
no_long_string();
run_tests();

__DATA__

=== TEST 1: the frames, innermost first
--- config
    location = /t {
        content_by_lua_block {
            local function inner() error("deep") end
            local outer = { call = function() inner() return 1 end }
            outer.call()
        }
    }
--- request
GET /t
--- error_code: 500
--- error_log eval
[
qr/\[error\] \S+ \*1 lua entry thread aborted: runtime error: content_by_lua\(nginx\.conf:\d+\):2: deep$/,
qr/^stack traceback:$/,
qr/^coroutine 0:$/,
qr/^\t\[C\]: in function 'error'$/,
qr/^\tcontent_by_lua\(nginx\.conf:\d+\):2: in function 'inner'$/,
qr/^\tcontent_by_lua\(nginx\.conf:\d+\):3: in function 'call'$/,
qr/^\tcontent_by_lua\(nginx\.conf:\d+\):4: in main chunk, client: /,
]



=== TEST 2: the middle of a long one is left out
--- http_config
    lua_capture_error_log 32k;
--- config
    location = /t {
        content_by_lua_block {
            local function dive(depth)
                if depth == 0 then error("bottom") end
                dive(depth - 1)
                return 1
            end
            dive(50)
        }
    }
    location = /log {
        content_by_lua_block {
            local text = table.concat(require("ngx.errlog").get_logs(), "\n")
            ngx.say(select(2, text:gsub("in function 'dive'", "")), " ", text:find "\n\t%.%.%.\n" ~= nil)
        }
    }
--- request eval
["GET /t", "GET /log"]
--- error_code eval
[500, 200]
--- response_body_like eval
["500", qr/\A20 true\n\z/]



=== TEST 3: nil that is raised
--- config
    location = /t {
        content_by_lua_block { error(nil) }
    }
--- request
GET /t
--- error_code: 500
--- error_log
lua entry thread aborted: runtime error: unknown reason



=== TEST 4: after a wait
--- config
    location = /t {
        content_by_lua_block {
            local function work() ngx.sleep(0.001) error("late") end
            work()
        }
    }
--- request
GET /t
--- error_code: 500
--- error_log eval
[
qr/^\tcontent_by_lua\(nginx\.conf:\d+\):2: in function 'work'$/,
qr/^\tcontent_by_lua\(nginx\.conf:\d+\):3: in main chunk/,
]
