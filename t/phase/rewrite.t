# rewrite_by_lua* and server_rewrite_by_lua*: when they run, what their end means, where they stand in their phase.
use Test::Nginx::Socket 'no_plan';

run_tests();

__DATA__

=== TEST 1: Lua that returns lets the request go on
--- config
    location /t {
        rewrite_by_lua_block { ngx.ctx.seen = ngx.get_phase() }
        content_by_lua_block { ngx.say(ngx.ctx.seen) }
    }
--- request
GET /t
--- response_body
rewrite



=== TEST 2: it may wait, more than once
--- config
    location /t {
        rewrite_by_lua_block { ngx.sleep(0.001) ngx.ctx.n = 1 ngx.sleep(0.001) ngx.ctx.n = ngx.ctx.n + 1 }
        content_by_lua_block { ngx.say(ngx.ctx.n) }
    }
--- request
GET /t
--- response_body
2



=== TEST 3: it runs after the directives of the rewrite module
--- config
    location /t {
        set $a 1;
        rewrite_by_lua_block { ngx.var.b = ngx.var.a + 1 }
        set $b 0;
        content_by_lua_block { ngx.say(ngx.var.a, ngx.var.b) }
    }
--- request
GET /t
--- response_body
12



=== TEST 4: or before them
--- http_config
    rewrite_by_lua_no_postpone on;
--- config
    location /t {
        set $b 0;
        rewrite_by_lua_block { ngx.var.b = 5 }
        content_by_lua_block { ngx.say(ngx.var.b) }
    }
--- request
GET /t
--- response_body
0



=== TEST 5: where the path was rewritten it does not run
--- config
    location /t {
        rewrite ^ /other last;
        rewrite_by_lua_block { ngx.exit(503) }
    }
    location /other { content_by_lua_block { ngx.say(ngx.var.uri) } }
--- request
GET /t
--- response_body
/other



=== TEST 6: ngx.exit ends the request by a status
--- config
    location /t {
        rewrite_by_lua_block { ngx.exit(ngx.HTTP_FORBIDDEN) }
        content_by_lua_block { ngx.say("content") }
    }
--- request
GET /t
--- error_code: 403
--- response_body_like: 403 Forbidden



=== TEST 7: ngx.exit(ngx.OK) ends the phase only
--- config
    location /t {
        rewrite_by_lua_block { ngx.sleep(0.001) ngx.exit(ngx.OK) ngx.exit(503) }
        content_by_lua_block { ngx.say("content") }
    }
--- request
GET /t
--- response_body
content



=== TEST 8: what it says is the answer, the rest of the phases is left out
--- config
    location /t {
        rewrite_by_lua_block { ngx.say("from ", ngx.get_phase()) }
        access_by_lua_block { ngx.log(ngx.ERR, "access") }
        content_by_lua_block { ngx.say("content") }
    }
--- pipelined_requests eval
["GET /t", "GET /t"]
--- error_code eval
[200, 200]
--- response_body eval
["from rewrite\n", "from rewrite\n"]
--- no_error_log
[error]



=== TEST 9: an answer of HTTP/1.0 gathers and keeps its status
--- config
    location /t {
        rewrite_by_lua_block { ngx.status = 403 ngx.say("no") ngx.exit(403) }
        content_by_lua_block { ngx.say("content") }
    }
--- request
GET /t HTTP/1.0
--- error_code: 403
--- response_headers
Content-Length: 3
--- response_body
no



=== TEST 10: what it raises answers 500
--- config
    location /t {
        rewrite_by_lua_block { local function inner() error("broken") end inner() }
        content_by_lua_block { ngx.say("content") }
    }
--- request
GET /t
--- error_code: 500
--- error_log eval
["lua entry thread aborted: runtime error: rewrite_by_lua(nginx.conf:", "broken", "in function 'inner'"]



=== TEST 11: a location inherits from its server, which it may override
--- config
    rewrite_by_lua_block { ngx.ctx.from = "server" }
    location /inherits { content_by_lua_block { ngx.say(ngx.ctx.from) } }
    location /own {
        rewrite_by_lua_block { ngx.ctx.from = "location" }
        content_by_lua_block { ngx.say(ngx.ctx.from) }
    }
--- pipelined_requests eval
["GET /inherits", "GET /own"]
--- error_code eval
[200, 200]
--- response_body eval
["server\n", "location\n"]



=== TEST 12: a file named by a capture
--- config
    location ~ ^/t/(\w+)$ {
        rewrite_by_lua_file html/$1.lua;
        content_by_lua_block { ngx.say(ngx.ctx.from) }
    }
--- user_files
>>> a.lua
ngx.ctx.from = "a.lua"
--- pipelined_requests eval
["GET /t/a", "GET /t/b"]
--- error_code eval
[200, 404]
--- response_body_like eval
["^a.lua\n", "404 Not Found"]



=== TEST 13: server_rewrite_by_lua* runs before the server's rewrites, once a request
--- config
    server_rewrite_by_lua_block {
        ngx.ctx.seen = (ngx.ctx.seen or "") .. ngx.get_phase() .. ngx.var.uri
    }
    rewrite ^/t$ /other;
    location /other { content_by_lua_block { ngx.say(ngx.ctx.seen, " ", ngx.var.uri) } }
--- request
GET /t
--- response_body
server_rewrite/t /other



=== TEST 14: server_rewrite_by_lua* can end the request and wait
--- config
    server_rewrite_by_lua_block {
        ngx.sleep(0.001)
        if ngx.var.uri == "/no" then return ngx.exit(403) end
    }
    location /yes { content_by_lua_block { ngx.say("content") } }
--- pipelined_requests eval
["GET /yes", "GET /no"]
--- error_code eval
[200, 403]
--- response_body_like eval
["^content\n", "403 Forbidden"]



=== TEST 15: server_rewrite_by_lua* is the server's or the http block's
--- config
    location /t { server_rewrite_by_lua_block { } }
--- must_die
--- error_log
"server_rewrite_by_lua_block" directive is not allowed here



=== TEST 16: twice in one block
--- config
    location /t {
        rewrite_by_lua_block { }
        rewrite_by_lua 'return';
    }
--- must_die
--- error_log
"rewrite_by_lua" directive is duplicate



=== TEST 17: the body that nobody read is not taken for the next request
--- config
    location /t { rewrite_by_lua_block { ngx.say("answered") } }
    location /next { content_by_lua_block { ngx.say("next") } }
--- pipelined_requests eval
["POST /t\nGET /nowhere HTTP/1.1\r\n\r\n", "GET /next"]
--- error_code eval
[200, 200]
--- response_body eval
["answered\n", "next\n"]
