# access_by_lua* and precontent_by_lua*
use Test::Nginx::Socket 'no_plan';

run_tests();

__DATA__

=== TEST 1: Lua that returns grants access
--- config
    location /t {
        access_by_lua_block { ngx.ctx.seen = ngx.get_phase() }
        content_by_lua_block { ngx.say(ngx.ctx.seen) }
    }
--- request
GET /t
--- response_body
access



=== TEST 2: and waits before it does
--- config
    location /t {
        access_by_lua_block { ngx.sleep(0.001) if ngx.var.arg_key ~= "right" then ngx.exit(403) end }
        content_by_lua_block { ngx.say("in") }
    }
--- pipelined_requests eval
["GET /t?key=right", "GET /t?key=wrong"]
--- error_code eval
[200, 403]
--- response_body_like eval
["^in\n", "403 Forbidden"]



=== TEST 3: it runs after nginx's own access rules
--- config
    location /t {
        access_by_lua_block { ngx.log(ngx.ERR, "asked") }
        deny all;
        content_by_lua_block { ngx.say("in") }
    }
--- request
GET /t
--- error_code: 403
--- no_error_log
asked



=== TEST 4: or before them
--- http_config
    access_by_lua_no_postpone on;
--- config
    location /t {
        access_by_lua_block { ngx.exit(402) }
        deny all;
        content_by_lua_block { ngx.say("in") }
    }
--- request
GET /t
--- error_code: 402



=== TEST 5: with `satisfy any` it is enough that Lua returns
--- config
    location /t {
        satisfy any;
        deny all;
        access_by_lua_block { if ngx.var.arg_a then ngx.exit(tonumber(ngx.var.arg_a)) end }
        content_by_lua_block { ngx.say("in") }
    }
--- pipelined_requests eval
["GET /t", "GET /t?a=0", "GET /t?a=-5", "GET /t?a=403", "GET /t?a=500"]
--- error_code eval
[200, 200, 403, 403, 500]
--- response_body_like eval
["^in\n", "^in\n", "403 Forbidden", "403 Forbidden", "500 Internal"]



=== TEST 6: with `satisfy any` it is enough that nginx's rules do
--- config
    location /t {
        satisfy any;
        allow all;
        access_by_lua_block { ngx.exit(403) }
        content_by_lua_block { ngx.say("in") }
    }
--- request
GET /t
--- response_body
in



=== TEST 7: what it says is the answer
--- config
    location /t {
        access_by_lua_block { ngx.status = 401 ngx.header["WWW-Authenticate"] = "x" ngx.say("who?") ngx.exit(401) }
        content_by_lua_block { ngx.say("in") }
    }
--- request
GET /t
--- error_code: 401
--- response_headers
WWW-Authenticate: x
--- response_body
who?



=== TEST 8: precontent_by_lua* runs after access and may wait
--- config
    location /t {
        access_by_lua_block { ngx.ctx.seen = ngx.get_phase() }
        precontent_by_lua_block { ngx.sleep(0.001) ngx.ctx.seen = ngx.ctx.seen .. " " .. ngx.get_phase() }
        content_by_lua_block { ngx.say(ngx.ctx.seen) }
    }
--- request
GET /t
--- response_body
access precontent



=== TEST 9: precontent_by_lua* runs after try_files, whose file it may refuse
--- config
    location /t {
        try_files /index.html =404;
        precontent_by_lua_block { if ngx.var.arg_no then ngx.exit(410) end }
    }
--- user_files
>>> index.html
the file
--- pipelined_requests eval
["GET /t", "GET /t?no=1"]
--- error_code eval
[200, 410]
--- response_body_like eval
["^the file", "410 Gone"]



=== TEST 10: a static file is served after Lua that had waited
--- config
    location /index.html {
        rewrite_by_lua_block { ngx.sleep(0.001) }
        access_by_lua_block { ngx.sleep(0.001) }
        precontent_by_lua_block { ngx.sleep(0.001) }
    }
--- user_files
>>> index.html
the file
--- pipelined_requests eval
["GET /index.html", "GET /index.html"]
--- error_code eval
[200, 200]
--- response_body eval
["the file\n", "the file\n"]



=== TEST 11: what it raises answers 500
--- config
    location /t {
        access_by_lua_block { ngx.sleep(0.001) local x = nil + 1 }
        content_by_lua_block { ngx.say("in") }
    }
--- request
GET /t
--- error_code: 500
--- error_log
lua entry thread aborted: runtime error: access_by_lua(nginx.conf:
