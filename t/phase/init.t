# init_by_lua*, init_worker_by_lua*, exit_worker_by_lua*: Lua that belongs to no request.
use Test::Nginx::Socket 'no_plan';

no_long_string();

run_tests();

__DATA__

=== TEST 1: workers inherit what init_by_lua has made, and init_worker_by_lua adds to it
--- http_config
    init_by_lua_block { seen = ngx.get_phase() }
    init_worker_by_lua_block { seen = seen .. " " .. ngx.get_phase() .. " " .. ngx.worker.id() }
--- config
    location /t { content_by_lua_block { ngx.say(seen) } }
--- request
GET /t
--- response_body
init init_worker 0
--- no_error_log
[error]



=== TEST 2: a file, in whose name a dollar is a dollar
--- http_config
    init_by_lua_file html/init$.lua;
    init_worker_by_lua_file html/$x.lua;
--- config
    location /t { content_by_lua_block { ngx.say(seen) } }
--- user_files
>>> init$.lua
seen = "init"
>>> $x.lua
seen = seen .. " worker"
--- request
GET /t
--- response_body
init worker



=== TEST 3: what init_by_lua raises keeps nginx from starting
--- http_config
    init_by_lua_block {
        local function inner() error("boom") end
        inner()
    }
--- config
--- must_die
--- error_log eval
[qr/init_by_lua error: init_by_lua\(nginx\.conf:\d+\):2: boom/, qr/in function 'inner'/]



=== TEST 4: what init_worker_by_lua raises is logged, and the worker goes on
--- http_config
    init_worker_by_lua_block { error("boom") }
--- config
    location /t { content_by_lua_block { ngx.say("ok") } }
--- request
GET /t
--- response_body
ok
--- error_log eval
[qr/\[error\].* init_worker_by_lua error: init_worker_by_lua\(nginx\.conf:\d+\):1: boom/]



=== TEST 5: there is no request while the configuration is loaded
--- http_config
    init_by_lua_block {
        said = {}
        for _, call in ipairs {
            function() return ngx.var.uri end, function() ngx.say("x") end, function() ngx.exit(0) end,
            function() ngx.sleep(0) end, function() return ngx.ctx end, function() ngx.exec("/") end,
        } do
            said[#said + 1] = select(2, pcall(call)):match("[^:]+$")
        end
    }
--- config
    location /t { content_by_lua_block { ngx.say(table.concat(said, ";")) } }
--- request
GET /t
--- response_body
 no request found; no request found; no request found; no request found; no request found; no request found



=== TEST 6: nor while a worker starts, and nothing waits
--- http_config
    init_worker_by_lua_block {
        said = {}
        for _, call in ipairs {
            function() ngx.say("x") end, function() ngx.exit(0) end, function() ngx.sleep(0) end,
            function() ngx.exec("/") end, function() ngx.flush() end, function() ngx.redirect("/") end,
        } do
            said[#said + 1] = select(2, pcall(call)):match("[^:]+$")
        end
    }
--- config
    location /t { content_by_lua_block { for _, text in ipairs(said) do ngx.say(text:match("%S.*")) end } }
--- request
GET /t
--- response_body
API disabled in the context of init_worker_by_lua*
API disabled in the context of init_worker_by_lua*
API disabled in the context of init_worker_by_lua*
API disabled in the context of init_worker_by_lua*
API disabled in the context of init_worker_by_lua*
API disabled in the context of init_worker_by_lua*



=== TEST 7: exit_worker_by_lua runs as the worker ends, when nothing can be done for a request any more
--- http_config
    exit_worker_by_lua_block {
        ngx.log(ngx.NOTICE, ngx.get_phase(), " of ", ngx.worker.id(), ": ", select(2, pcall(ngx.say, "x")))
        error("boom")
    }
--- config
    location /t { content_by_lua_block { ngx.say("ok") } }
--- request
GET /t
--- response_body
ok
--- no_error_log
exit_worker
--- shutdown_error_log eval
[
    qr/exit_worker of 0: API disabled in the context of exit_worker_by_lua\*$/m,
    qr/\[error\].* exit_worker_by_lua error: exit_worker_by_lua\(nginx\.conf:\d+\):3: boom/,
]



=== TEST 8: only workers run init_worker_by_lua, not those that keep a cache
--- http_config
    proxy_cache_path $TEST_NGINX_SERVER_ROOT/cache keys_zone=cache:1m;
    init_worker_by_lua_block { ngx.log(ngx.NOTICE, "worker ", tostring(ngx.worker.id())) }
--- config
    location /t { content_by_lua_block { ngx.say("ok") } }
--- request
GET /t
--- response_body
ok
--- error_log
worker 0
--- no_error_log
worker nil



=== TEST 9: twice
--- http_config
    init_by_lua_block { }
    init_by_lua '';
--- config
--- must_die
--- error_log
"init_by_lua" directive is duplicate in



=== TEST 10: init_worker_by_lua* and exit_worker_by_lua* have an ngx.ctx, and the log says where a line comes from
--- http_config
    init_worker_by_lua_block { ngx.ctx.seen = "kept" ngx.log(ngx.WARN, "worker: ", ngx.ctx.seen) }
--- config
    location /t { content_by_lua_block { ngx.say(tostring(ngx.ctx.seen)) } }
--- request
GET /t
--- response_body
nil
--- error_log
worker: kept, context: init_worker_by_lua*
