# init_by_lua*, init_worker_by_lua* and exit_worker_by_lua* in the one process that there is without a master.
use Test::Nginx::Socket 'no_plan';

no_long_string();
master_off();

run_tests();

__DATA__

=== TEST 1: all of them run in it
--- http_config
    init_by_lua_block { seen = "init" }
    init_worker_by_lua_block { seen = seen .. " worker " .. tostring(ngx.worker.id()) }
    exit_worker_by_lua_block { ngx.log(ngx.NOTICE, "exit: ", seen) }
--- config
    location /t { content_by_lua_block { ngx.say(seen) } }
--- request
GET /t
--- response_body
init worker 0
--- shutdown_error_log
exit: init worker 0
