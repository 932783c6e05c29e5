# lua_shared_dict: what nginx -t takes and what it refuses; dictionaries while a configuration begins.
use Test::Nginx::Socket 'no_plan';

add_block_preprocessor(sub {
    my $block = shift;
    $block->set_value(config => '    location = /t { content_by_lua_block { ngx.say("ok") } }') if !defined $block->config;
    return if defined $block->must_die;
    $block->set_value(request => 'GET /t');
    $block->set_value(response_body => "ok\n") if !defined $block->response_body;
    $block->set_value(no_error_log => "[error]\n[alert]\n[emerg]") if !defined $block->error_log;
});

no_long_string();
no_shuffle();
run_tests();

__DATA__

=== TEST 1: sizes and names
--- http_config
    lua_shared_dict a 12k;
    lua_shared_dict a.b-c_1 1m;
    lua_shared_dict "with a space" 2M;
    lua_shared_dict 7 100000;
--- config
    location = /t {
        content_by_lua_block {
            for _, name in ipairs { "a", "a.b-c_1", "with a space", "7" } do ngx.say(ngx.shared[name]:capacity()) end
        }
    }
--- response_body
12288
1048576
2097152
100000

=== TEST 2: without Lua
--- http_config
    lua_shared_dict a 1m;
--- config
    location = /t { return 200 "ok\n"; }

=== TEST 3: none
--- config
    location = /t { content_by_lua_block { ngx.say(type(ngx.shared), " ", next(ngx.shared)) } }
--- response_body
table nil

=== TEST 4: too small
--- http_config
    lua_shared_dict a 8191;
--- must_die
--- error_log eval
qr/\[emerg\] .*invalid lua shared dict size "8191" in .*nginx.conf:\d+/

=== TEST 5: not even room for an empty dictionary
--- http_config
    lua_shared_dict a 8k;
--- must_die
--- error_log eval
qr/\[emerg\] .*lua_shared_dict "a" of 8192 bytes has no room for anything/

=== TEST 6: no size
--- http_config
    lua_shared_dict a big;
--- must_die
--- error_log eval
qr/\[emerg\] .*invalid lua shared dict size "big" in .*nginx.conf:\d+/

=== TEST 7: a negative size
--- http_config
    lua_shared_dict a -1m;
--- must_die
--- error_log
invalid lua shared dict size "-1m"

=== TEST 8: a size beyond all numbers
--- http_config
    lua_shared_dict a 20000000000000000m;
--- must_die
--- error_log
invalid lua shared dict size "20000000000000000m"

=== TEST 9: no name
--- http_config
    lua_shared_dict "" 1m;
--- must_die
--- error_log eval
qr/\[emerg\] .*invalid lua shared dict name "" in .*nginx.conf:\d+/

=== TEST 10: the same name twice
--- http_config
    lua_shared_dict a 1m;
    lua_shared_dict a 1m;
--- must_die
--- error_log eval
qr/\[emerg\] .*lua_shared_dict "a" is already defined as "a" in .*nginx.conf:\d+/

=== TEST 11: a name that something else has
--- http_config
    limit_req_zone $uri zone=a:1m rate=1r/s;
    lua_shared_dict a 1m;
--- must_die
--- error_log
the shared memory zone "a" is already declared for a different use

=== TEST 12: one argument
--- http_config
    lua_shared_dict a;
--- must_die
--- error_log
invalid number of arguments in "lua_shared_dict" directive

=== TEST 13: in a server
--- config
    lua_shared_dict a 1m;
--- must_die
--- error_log
"lua_shared_dict" directive is not allowed here

=== TEST 14: init_by_lua writes, workers read
--- http_config
    init_by_lua_block {
        local a = ngx.shared.a
        ngx.log(ngx.WARN, "set: ", (a:set("k", "v", 0, 3)), " ", (a:incr("n", 1, 41)), " ", a:rpush("l", 1), " ", a:capacity())
        ngx.log(ngx.WARN, "get: ", a:get("k"))
    }
    init_worker_by_lua_block {
        ngx.shared.a:incr("n", 1)
    }
    lua_shared_dict a 1m;
--- config
    location = /t { content_by_lua_block { ngx.say(ngx.shared.a:get("n"), " ", ngx.shared.a:llen("l"), " ", ngx.shared.a:get("k")) } }
--- response_body
43 1 v3
--- error_log
set: true 42 1 1048576
get: v3

=== TEST 15: what init_by_lua raises keeps nginx from starting
--- http_config
    lua_shared_dict a 1m;
    init_by_lua_block {
        ngx.shared.a:set("k", 1)
        error("not today: " .. ngx.shared.a:get("k"))
    }
--- must_die
--- error_log eval
qr/\[error\] .*init_by_lua error: init_by_lua\(nginx.conf:\d+\):3: not today: 1/

=== TEST 16: a file of init_by_lua that does not compile
--- http_config
    init_by_lua_file html/init.lua;
--- user_files
>>> init.lua
local x = = 1
--- must_die
--- error_log eval
qr/\[error\] .*init_by_lua_file error: .*html\/init.lua:1: unexpected symbol near '='/

=== TEST 17: a block of init_by_lua that does not compile
--- http_config
    init_by_lua_block {
        local x = = 1
    }
--- must_die
--- error_log eval
qr/\[emerg\] .*init_by_lua error: init_by_lua\(nginx.conf:\d+\):2: unexpected symbol near '=' in .*nginx.conf:\d+/

=== TEST 18: modules that init_by_lua loads use dictionaries
--- http_config
    lua_package_path "$TEST_NGINX_SERVER_ROOT/html/?.lua;;";
    lua_shared_dict a 1m;
    init_by_lua_block { require "counter".add(7) }
--- user_files
>>> counter.lua
local dict = ngx.shared.a
return { add = function(n) return dict:incr("sum", n, 0) end }
--- config
    location = /t { content_by_lua_block { ngx.say((require "counter".add(1))) } }
--- response_body
8
