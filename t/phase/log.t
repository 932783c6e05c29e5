# log_by_lua* and exit_worker_by_lua*
use Test::Nginx::Socket 'no_plan';

run_tests();

__DATA__

=== TEST 1: it runs after the response and sees what it was
--- config
    location /t {
        content_by_lua_block { ngx.ctx.text = "kept" ngx.status = 202 ngx.say("body") }
        log_by_lua_block {
            ngx.log(ngx.WARN, ngx.get_phase(), " ", ngx.ctx.text, " ", ngx.status, " ", ngx.var.body_bytes_sent)
        }
    }
--- request
GET /t
--- error_code: 202
--- response_body
body
--- error_log
log kept 202 



=== TEST 2: it runs for static files and error pages, before nginx's access log is written
--- http_config
    log_format lua "$uri [$seen]";
    map $uri $unused { default ""; }
--- config
    set $seen "";
    access_log logs/lua.log lua;
    log_by_lua_block { ngx.var.seen = "logged " .. ngx.status }
    location = /show { content_by_lua_block { for line in io.lines(ngx.config.prefix() .. "logs/lua.log") do ngx.say(line) end } }
--- pipelined_requests eval
["GET /none", "GET /show"]
--- error_code eval
[404, 200]
--- response_body_like eval
["404", qr{^/none \[logged 404\]}m]



=== TEST 3: what it raises is logged, and harms nothing
--- config
    location /t {
        content_by_lua_block { ngx.say("body") }
        log_by_lua_block { error(nil) }
    }
--- request
GET /t
--- response_body
body
--- error_log
failed to run log_by_lua*: unknown reason



=== TEST 4: what cannot be done there says so
--- config
    location /t {
        content_by_lua_block { ngx.say("body") }
        log_by_lua_block {
            for name, call in pairs {
                say = function() ngx.say("x") end, sleep = function() ngx.sleep(0) end, exit = function() ngx.exit(0) end,
            } do
                local _, err = pcall(call)
                ngx.log(ngx.WARN, name, "=", (err:gsub("^.-:%d+: ", "")))
            end
        }
    }
--- request
GET /t
--- error_log
say=API disabled in the context of log_by_lua*
sleep=API disabled in the context of log_by_lua*
exit=API disabled in the context of log_by_lua*



=== TEST 5: an aborted client's request is logged too
--- config
    location /t {
        content_by_lua_block { ngx.sleep(0.001) ngx.exit(ngx.ERROR) }
        log_by_lua_block { ngx.log(ngx.WARN, "logged ", ngx.status) }
    }
--- request
GET /t
--- ignore_response
--- error_log
logged 
