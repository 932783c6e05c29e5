# ngx.errlog and lua_capture_error_log.
use Test::Nginx::Socket 'no_plan';

log_level('info');
no_long_string();
run_tests();

__DATA__

=== TEST 1: lines of init, of workers and of requests are captured, oldest first, and taken out
--- http_config
    lua_capture_error_log 32k;
    init_by_lua_block { ngx.log(ngx.WARN, "in init") }
    init_worker_by_lua_block { ngx.log(ngx.WARN, "in init_worker") }
--- config
    location = /t {
        content_by_lua_block {
            local errlog = require "ngx.errlog"
            ngx.log(ngx.ERR, "in the request")
            local lines = errlog.get_logs()
            for i = 1, #lines, 3 do
                local text = lines[i + 2]:match "%[lua%].-: (in .*)"
                if text then
                    local kinds = type(lines[i]) .. type(lines[i + 1])
                    ngx.say(lines[i], " ", kinds, " ", math.abs(lines[i + 1] - ngx.now()) < 60, " ", text)
                end
            end
            ngx.say(#errlog.get_logs())
        }
    }
--- request
GET /t
--- response_body_like chomp
\A5 numbernumber true in init
5 numbernumber true in init_worker, context: init_worker_by_lua\*
4 numbernumber true in the request, client: [^\n]*host: "localhost"
0
\z
--- error_log
in init
in init_worker
in the request



=== TEST 2: at most so many, into a given table
--- http_config
    lua_capture_error_log 32k;
--- config
    location = /t {
        content_by_lua_block {
            local errlog = require "ngx.errlog"
            errlog.get_logs()
            for i = 1, 5 do ngx.log(ngx.ERR, "line ", i) end
            local function show(lines)
                local texts = {}
                for i = 3, #lines, 3 do texts[#texts + 1] = lines[i]:match "line %d" end
                ngx.say(table.concat(texts, ", "))
            end
            local mine = { 1, 2, 3, 4, 5, 6, 7, 8, 9 }
            ngx.say(errlog.get_logs(2, mine) == mine, " ", mine[7], " ", mine[8])
            mine[8], mine[9] = nil, nil
            show(mine)
            show(errlog.get_logs(0))
            ngx.say(#errlog.get_logs(-1))
        }
    }
--- request
GET /t
--- response_body
true nil 8
line 1, line 2
line 3, line 4, line 5
0
--- error_log
line 5



=== TEST 3: new lines take the place of the oldest
--- http_config
    lua_capture_error_log 4k;
--- config
    location = /t {
        content_by_lua_block {
            local errlog = require "ngx.errlog"
            errlog.get_logs()
            for i = 1, 9 do ngx.log(ngx.ERR, ("x"):rep(1000), "line ", i) end
            local lines = errlog.get_logs()
            ngx.say(#lines, " ", lines[3]:match "line %d", " ", lines[6]:match "line %d", " ", lines[9]:match "line %d")
        }
    }
--- request
GET /t
--- response_body
9 line 7 line 8 line 9
--- error_log
line 9



=== TEST 4: the filter leaves out what matters less
--- http_config
    lua_capture_error_log 32k;
    init_by_lua_block {
        local errlog = require "ngx.errlog"
        assert(errlog.set_filter_level(ngx.ERR))
    }
--- config
    location = /t {
        content_by_lua_block {
            local errlog = require "ngx.errlog"
            errlog.get_logs()
            ngx.log(ngx.WARN, "left out")
            ngx.log(ngx.ERR, "captured")
            ngx.log(ngx.CRIT, "captured too")
            local lines = errlog.get_logs()
            ngx.say(#lines, " ", lines[1], " ", lines[4])
        }
    }
--- request
GET /t
--- response_body
6 4 3
--- error_log
left out



=== TEST 5: what a location's error_log does not take is not captured, what it takes is
--- http_config
    lua_capture_error_log 32k;
--- config
    location = /t {
        error_log logs/own.log error;
        content_by_lua_block {
            local errlog = require "ngx.errlog"
            errlog.get_logs()
            ngx.log(ngx.WARN, "not taken")
            ngx.log(ngx.ERR, "taken")
            local lines = errlog.get_logs()
            ngx.say(#lines, " ", lines[3]:match "%[lua%].-: (%w+),", " ", errlog.get_sys_filter_level())
            local own = io.open(ngx.config.prefix() .. "logs/own.log"):read "*a"
            ngx.say(own:match "([^\n]*)\n$" == lines[3])
        }
    }
--- request
GET /t
--- response_body
3 taken 4
true



=== TEST 6: without the directive
--- config
    location = /t {
        content_by_lua_block {
            local errlog = require "ngx.errlog"
            ngx.say(errlog.get_logs())
            ngx.say(errlog.set_filter_level(ngx.WARN))
            ngx.say(errlog.set_filter_level())
            ngx.say(errlog.get_sys_filter_level())
        }
    }
--- request
GET /t
--- response_body
nildirective "lua_capture_error_log" is not set
nildirective "lua_capture_error_log" is not set
nilmissing "level" argument
7



=== TEST 7: a raw line has no place
--- config
    location = /t {
        content_by_lua_block {
            require("ngx.errlog").raw_log(ngx.WARN, "as it is: 100%s")
            ngx.say("ok")
        }
    }
--- request
GET /t
--- response_body
ok
--- error_log eval
qr/\[warn\] \d+#\d+: \*\d+ as it is: 100%s, client: /



=== TEST 8: bad arguments
--- http_config
    lua_capture_error_log 32k;
--- config
    location = /t {
        content_by_lua_block {
            local errlog = require "ngx.errlog"
            local function try(name, ...) ngx.say(select(2, pcall(errlog[name], ...))) end
            try("raw_log", "4", "text")
            try("raw_log", nil, "text")
            try("raw_log", ngx.ERR)
            try("raw_log", ngx.ERR, 1)
            try("raw_log", 9, "text")
            try("raw_log", -1, "text")
            try("raw_log", 0 / 0, "text")
            try("get_logs", "1")
            try("get_logs", 1, "table")
            try("set_filter_level", "4")
            ngx.say(select(2, errlog.set_filter_level(9)))
            ngx.say(select(2, errlog.set_filter_level(-1)))
            ngx.say(select(2, errlog.set_filter_level(0 / 0)))
            ngx.say(errlog.set_filter_level(ngx.ERR + 0.5), " ", #errlog.get_logs(0 / 0))
        }
    }
--- request
GET /t
--- response_body
bad argument #1 to 'raw_log' (must be a number)
bad argument #1 to 'raw_log' (must be a number)
bad argument #2 to 'raw_log' (must be a string)
bad argument #2 to 'raw_log' (must be a string)
bad log level
bad log level
bad log level
bad argument #1 to 'get_logs' (must be a number)
bad argument #2 to 'get_logs' (must be a table)
bad argument #1 to 'set_filter_level' (must be a number)
bad log level
bad log level
bad log level
true 0



=== TEST 9: a line longer than nginx writes is captured as it is written
--- http_config
    lua_capture_error_log 3k;
--- config
    location = /t {
        content_by_lua_block {
            local errlog = require "ngx.errlog"
            errlog.get_logs()
            ngx.log(ngx.ERR, ("x"):rep(100000))
            local lines = errlog.get_logs()
            ngx.say(#lines, " ", #lines[3] > 1900, " ", #lines[3] < 2048)
        }
    }
--- request
GET /t
--- response_body
3 true true
--- error_log
xxxx
