# ngx.log, print.
use Test::Nginx::Socket 'no_plan';

log_level('info');
no_long_string();
run_tests();

__DATA__

=== TEST 1: a line names its place and function
--- config
    location = /t {
        content_by_lua_block {
            ngx.log(ngx.ERR, "at the top")
            local function work() ngx.log(ngx.WARN, "inside") end
            work()
            print("printed ", 1)
            ngx.say("ok")
        }
    }
--- request
GET /t
--- response_body
ok
--- error_log eval
[
qr/\[error\] .*? \[lua\] content_by_lua\(nginx\.conf:\d+\):2: at the top, client: /,
qr/\[warn\] .*? \[lua\] content_by_lua\(nginx\.conf:\d+\):3: work\(\): inside, client: /,
qr/\[notice\] .*? \[lua\] content_by_lua\(nginx\.conf:\d+\):5: printed 1, client: /,
]

=== TEST 2: every kind of argument
--- config
    location = /t {
        content_by_lua_block {
            local named = setmetatable({}, { __tostring = function() return "named" end })
            ngx.log(ngx.WARN, "kinds: ", nil, true, false, 1.5, -0, ngx.null, named)
            ngx.log(ngx.WARN)
            ngx.say("ok")
        }
    }
--- request
GET /t
--- response_body
ok
--- error_log
kinds: niltruefalse1.50nullnamed
--- no_error_log
[error]

=== TEST 3: what cannot be logged raises
--- config
    location = /t {
        content_by_lua_block {
            for _, call in ipairs {
                function() ngx.log(ngx.ERR, "x", {}) end,
                function() ngx.log(ngx.ERR, print) end,
                function() ngx.log(9, "x") end,
                function() ngx.log("high", "x") end,
                function() ngx.log() end,
                function() print({}) end,
            } do
                local ok, err = pcall(call)
                ngx.say(ok, " ", (err:gsub("^.-:%d+: ", "")))
            end
        }
    }
--- request
GET /t
--- response_body
false bad argument #2 to 'log' (expected table to have __tostring metamethod)
false bad argument #1 to 'log' (string, number, boolean, or nil expected, got function)
false bad argument #1 to 'log' (bad log level: 9)
false bad argument #1 to 'log' (number expected, got string)
false bad argument #1 to 'log' (number expected, got no value)
false bad argument #1 to 'print' (expected table to have __tostring metamethod)
--- no_error_log
[error]

=== TEST 4: what is below the log's level is not even looked at
--- config
    location = /t {
        error_log logs/error.log crit;
        content_by_lua_block {
            ngx.log(ngx.ERR, print)
            ngx.log(ngx.DEBUG, "unseen")
            print("unseen")
            ngx.say("ok")
        }
    }
--- request
GET /t
--- response_body
ok
--- no_error_log
unseen

=== TEST 5: a long message is cut at nginx's limit
--- config
    location = /t {
        content_by_lua_block {
            ngx.log(ngx.WARN, ("x"):rep(1900), "near", ("y"):rep(200), "far")
            ngx.say("ok")
        }
    }
--- request
GET /t
--- response_body
ok
--- error_log
xxxnearyyy
--- no_error_log
yfar

=== TEST 6: outside of a request
--- http_config
    init_worker_by_lua_block { ngx.log(ngx.WARN, "a worker starts") }
--- config
    location = /t {
        content_by_lua_block { ngx.say("ok") }
    }
--- request
GET /t
--- response_body
ok
--- error_log
:1: a worker starts
--- no_error_log
[error]
