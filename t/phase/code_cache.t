# lua_code_cache off: fresh code and a fresh VM for each request.
use Test::Nginx::Socket 'no_plan';

run_tests();

__DATA__

=== TEST 1: a global does not outlive its request
--- http_config
    lua_code_cache off;
--- config
    location = /t {
        content_by_lua_block {
            count = (count or 0) + 1
            ngx.say(count)
        }
    }
--- request eval
["GET /t", "GET /t"]
--- response_body eval
["1\n", "1\n"]



=== TEST 2: init_by_lua runs in each VM
--- http_config
    lua_code_cache off;
    init_by_lua_block { greeting = "from init" }
--- config
    location = /t {
        content_by_lua_block { ngx.say(greeting) greeting = "changed" }
    }
--- request eval
["GET /t", "GET /t"]
--- response_body eval
["from init\n", "from init\n"]



=== TEST 3: with the cache a global stays
--- config
    location = /t {
        content_by_lua_block {
            count = (count or 0) + 1
            ngx.say(count)
        }
    }
--- request eval
["GET /t", "GET /t"]
--- response_body eval
["1\n", "2\n"]
