# lua_malloc_trim
use Test::Nginx::Socket 'no_plan';

run_tests();

__DATA__

=== TEST 1: every second request, without any Lua; a subrequest that is logged counts
--- http_config
    lua_malloc_trim 2;
    log_subrequest on;
--- config
    location = /t.txt { mirror /m; }
    location = /m { return 200; }
--- user_files
>>> t.txt
ok
--- request
GET /t.txt
--- response_body
ok
--- error_log eval
qr/malloc_trim\(1\) returned [01]/



=== TEST 2: beside log_by_lua
--- http_config
    lua_malloc_trim 1;
--- config
    location = /t {
        return 200 "ok\n";
        log_by_lua_block { ngx.log(ngx.WARN, "logged") }
    }
--- request
GET /t
--- response_body
ok
--- error_log eval
["logged", qr/malloc_trim\(1\) returned [01]/]



=== TEST 3: 0 turns it off
--- http_config
    lua_malloc_trim 0;
--- config
    location = /t { return 200 "ok\n"; }
--- request
GET /t
--- response_body
ok
--- no_error_log
malloc_trim(1)



=== TEST 4: not before its turn
--- http_config
    lua_malloc_trim 3;
--- config
    location = /t { return 200 "ok\n"; }
--- request eval
["GET /t", "GET /t"]
--- response_body eval
["ok\n", "ok\n"]
--- no_error_log
malloc_trim(1)
