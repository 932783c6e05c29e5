# balancer_by_lua*: when it runs, how it ends, and what nginx makes of that.
use Test::Nginx::Socket 'no_plan';

no_long_string();
$ENV{TEST_NGINX_HTML_DIR} ||= html_dir();

run_tests();

__DATA__

=== TEST 1: the peer that it chooses is asked
--- http_config
    upstream back {
        server 0.0.0.1;
        balancer_by_lua_block {
            require("ngx.balancer").set_current_peer("127.0.0.1", ngx.var.server_port)
            ngx.ctx.phase = ngx.get_phase()
        }
    }
--- config
    location /t {
        proxy_pass http://back/peer;
        header_filter_by_lua_block { ngx.header.X_Phase = ngx.ctx.phase }
    }
    location /peer { return 200 "peer\n"; }
--- request
GET /t
--- response_headers
X-Phase: balancer
--- response_body
peer
--- no_error_log
[error]



=== TEST 2: where it chooses none the servers of the upstream are asked in turn
--- http_config
    upstream back {
        server 127.0.0.1:1;
        server 127.0.0.1:$TEST_NGINX_SERVER_PORT;
        balancer_by_lua_block { ngx.log(ngx.NOTICE, "asked: ", tostring((require("ngx.balancer").get_last_failure()))) }
    }
--- config
    location /t { proxy_pass http://back/peer; }
    location /peer { return 200 "peer\n"; }
--- request
GET /t
--- response_body
peer
--- error_log
asked: nil
asked: failed



=== TEST 3: what it raises is logged and answered by 500
--- http_config
    upstream back {
        server 127.0.0.1:$TEST_NGINX_SERVER_PORT;
        balancer_by_lua_block {
            ngx.exit(403)
            error("boom")
        }
    }
--- config
    location /t {
        proxy_pass http://back/peer;
        header_filter_by_lua_block { ngx.header.X_Status = ngx.status }
    }
    location /peer { return 200 "peer\n"; }
--- request
GET /t
--- error_code: 500
--- response_headers
X-Status: 500
--- error_log eval
[qr/\[error\].* failed to run balancer_by_lua\*: balancer_by_lua\(nginx\.conf:\d+\):3: boom/]



=== TEST 4: what is no text is no reason
--- http_config
    upstream back {
        server 127.0.0.1:$TEST_NGINX_SERVER_PORT;
        balancer_by_lua_block { error({}) }
    }
--- config
    location /t { proxy_pass http://back/peer; }
--- request
GET /t
--- error_code: 500
--- error_log
failed to run balancer_by_lua*: unknown reason



=== TEST 5: ngx.exit ends the request, once the Lua has returned
--- http_config
    upstream back {
        server 0.0.0.1;
        balancer_by_lua_block {
            ngx.exit(tonumber(ngx.var.arg_status))
            require("ngx.balancer").set_current_peer("127.0.0.1", ngx.var.server_port)
        }
    }
--- config
    location /t { proxy_pass http://back/peer; }
    location /peer { return 200 "peer\n"; }
--- request eval
["GET /t?status=0", "GET /t?status=-1", "GET /t?status=-3", "GET /t?status=-5", "GET /t?status=200", "GET /t?status=403"]
--- error_code eval
[200, 500, 502, 502, 500, 500]



=== TEST 6: ngx.DECLINED takes one of the tries
--- http_config
    upstream back {
        server 0.0.0.1;
        balancer_by_lua_block {
            local balancer = require "ngx.balancer"
            ngx.ctx.asked = (ngx.ctx.asked or 0) + 1
            if ngx.ctx.asked == 1 then balancer.set_more_tries(2) end
            ngx.exit(ngx.DECLINED)
        }
    }
--- config
    location /t {
        proxy_pass http://back/peer;
        header_filter_by_lua_block { ngx.header.X_Asked = ngx.ctx.asked }
    }
--- request
GET /t
--- error_code: 502
--- response_headers
X-Asked: 3



=== TEST 7: it cannot wait, and outputs nothing
--- http_config
    upstream back {
        server 0.0.0.1;
        balancer_by_lua_block {
            local calls = {
                sleep = function() ngx.sleep(0) end,
                say = function() ngx.say("x") end,
                exec = function() ngx.exec("/") end,
                redirect = function() ngx.redirect("/") end,
                read_body = function() ngx.req.read_body() end,
                flush = function() ngx.flush() end,
            }
            local ok, err = pcall(calls[ngx.var.arg_call])
            ngx.ctx.refused = err
            require("ngx.balancer").set_current_peer("127.0.0.1", ngx.var.server_port)
        }
    }
--- config
    location /t {
        proxy_pass http://back/peer;
        body_filter_by_lua_block { ngx.arg[1] = ngx.arg[2] and ngx.ctx.refused .. "\n" or "" }
        header_filter_by_lua_block { ngx.header.content_length = nil }
    }
    location /peer { return 200 "peer\n"; }
--- pipelined_requests eval
[map { "GET /t?call=$_" } qw(sleep say exec redirect read_body flush)]
--- response_body_like eval
[map { 'API disabled in the context of balancer_by_lua\*$' } 1 .. 6]



=== TEST 8: keepalive after it keeps the connections to chosen peers
--- http_config
    upstream back {
        server 0.0.0.1;
        balancer_by_lua_block {
            require("ngx.balancer").set_current_peer("127.0.0.1", ngx.var.server_port)
        }
        keepalive 4;
    }
--- config
    location /t {
        proxy_http_version 1.1;
        proxy_set_header Connection "";
        proxy_pass http://back/peer;
    }
    location /peer { content_by_lua_block { ngx.say(ngx.var.connection_requests) } }
--- pipelined_requests eval
["GET /t", "GET /t", "GET /t"]
--- response_body eval
["1\n", "2\n", "3\n"]



=== TEST 9: a file, of the request's version of the code
--- http_config
    upstream back {
        server 0.0.0.1;
        balancer_by_lua_file html/choose$.lua;
    }
--- config
    location /t { proxy_pass http://back/peer; }
    location /peer { return 200 "peer\n"; }
--- user_files
>>> choose$.lua
require("ngx.balancer").set_current_peer("127.0.0.1", ngx.var.server_port)
--- request
GET /t
--- response_body
peer



=== TEST 10: a file that is missing
--- http_config
    upstream missing {
        server 0.0.0.1;
        balancer_by_lua_file html/missing.lua;
    }
--- config
    location /missing { proxy_pass http://missing; }
--- request
GET /missing
--- error_code: 500
--- error_log eval
[qr{failed to load external Lua file "\S+/html/missing\.lua": cannot open \S+/html/missing\.lua: No such file}]



=== TEST 11: a file that does not compile
--- http_config
    upstream broken {
        server 0.0.0.1;
        balancer_by_lua_file html/broken.lua;
    }
--- config
    location /broken { proxy_pass http://broken; }
--- user_files
>>> broken.lua
this is no Lua
--- request
GET /broken
--- error_code: 500
--- error_log eval
[qr{failed to load external Lua file "\S+/html/broken\.lua": \S+/html/broken\.lua:1: }]



=== TEST 12: an upstream that a variable names
--- http_config
    upstream back {
        server 0.0.0.1;
        balancer_by_lua_block {
            require("ngx.balancer").set_current_peer("127.0.0.1", ngx.var.server_port)
        }
    }
--- config
    location /t {
        set $name back;
        proxy_pass http://$name/peer;
    }
    location /peer { return 200 "peer\n"; }
--- request
GET /t
--- response_body
peer



=== TEST 13: without the code cache
--- http_config
    lua_code_cache off;
    upstream back {
        server 0.0.0.1;
        balancer_by_lua_block {
            require("ngx.balancer").set_current_peer("127.0.0.1", ngx.var.server_port)
        }
    }
--- config
    location /t { proxy_pass http://back/peer; }
    location /peer { return 200 "peer\n"; }
--- pipelined_requests eval
["GET /t", "GET /t"]
--- response_body eval
["peer\n", "peer\n"]



=== TEST 14: after an internal redirect the attempts count anew
--- http_config
    upstream back {
        server 0.0.0.1;
        balancer_by_lua_block {
            local balancer = require "ngx.balancer"
            ngx.log(ngx.NOTICE, ngx.var.uri, " last: ", tostring(balancer.get_last_failure()))
            balancer.set_current_peer("127.0.0.1", ngx.var.uri == "/t" and 1 or ngx.var.server_port)
        }
    }
--- config
    location /t {
        error_page 502 = /again;
        proxy_pass http://back/peer;
    }
    location /again { proxy_pass http://back/peer; }
    location /peer { return 200 "peer\n"; }
--- request
GET /t
--- response_body
peer
--- error_log
/t last: nil
/again last: nil



=== TEST 15: it stands in upstream blocks
--- config
    location /t { balancer_by_lua_block { } }
--- must_die
--- error_log
"balancer_by_lua_block" directive is not allowed here



=== TEST 16: and once
--- http_config
    upstream back {
        server 0.0.0.1;
        balancer_by_lua_block { }
        balancer_by_lua_file a.lua;
    }
--- config
--- must_die
--- error_log
"balancer_by_lua_file" directive is duplicate in



=== TEST 17: a method before it is replaced, with a warning
--- http_config
    upstream back {
        least_conn;
        server 0.0.0.1;
        balancer_by_lua_block {
            require("ngx.balancer").set_current_peer("127.0.0.1", ngx.var.server_port)
        }
    }
--- config
    location /t { proxy_pass http://back/peer; }
    location /peer { return 200 "peer\n"; }
--- request
GET /t
--- response_body
peer
--- error_log
load balancing method redefined



=== TEST 18: a server's parameter that the method cannot heed
--- http_config
    upstream back {
        balancer_by_lua_block { }
        server 127.0.0.1 backup;
    }
--- config
--- must_die
--- error_log
balancing method does not support parameter "backup"



=== TEST 19: an upstream without servers
--- http_config
    upstream back { balancer_by_lua_block { } }
--- config
--- must_die
--- error_log
no servers are inside upstream



=== TEST 20: an attempt that chooses no peer has none of the attempt before
--- http_config
    upstream back {
        server 127.0.0.1:$TEST_NGINX_SERVER_PORT;
        balancer_by_lua_block {
            local balancer = require "ngx.balancer"
            if balancer.get_last_failure() then return end
            balancer.set_more_tries(1)
            balancer.set_current_peer("127.0.0.1", 1)
        }
    }
--- config
    location /t { proxy_pass http://back/peer; }
    location /peer { return 200 "peer\n"; }
--- request
GET /t
--- response_body
peer
