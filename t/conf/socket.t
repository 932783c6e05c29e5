# The directives of cosockets.
use Test::Nginx::Socket 'no_plan';

no_long_string();
run_tests();

__DATA__

=== TEST 1: everywhere, and each inherited by itself
--- http_config
    lua_socket_connect_timeout 1s;
    lua_socket_send_timeout 1m;
    lua_socket_read_timeout 50ms;
    lua_socket_keepalive_timeout 0;
    lua_socket_pool_size 7;
    lua_socket_buffer_size 8k;
    lua_socket_log_errors on;
--- config
    lua_socket_log_errors off;
    location = /t {
        lua_socket_connect_timeout 2s;
        if ($arg_x) {
            lua_socket_read_timeout 10ms;
            lua_socket_buffer_size 1;
        }
        content_by_lua_block {
            local sock = ngx.socket.connect("127.0.0.1", ngx.var.server_port)
            ngx.say(sock:receive())
        }
    }
--- request
GET /t
--- response_body
niltimeout
--- no_error_log
[error]



=== TEST 2: a watermark that the system does not have
--- http_config
    lua_socket_send_lowat 1k;
--- config
    location = /t { return 200 "goes on"; }
--- request
GET /t
--- response_body chomp
goes on
--- error_log
"lua_socket_send_lowat" is not supported, ignored



=== TEST 3: a time must be one
--- config
    lua_socket_read_timeout soon;
--- must_die
--- error_log
"lua_socket_read_timeout" directive invalid value



=== TEST 4: a size must be one
--- config
    lua_socket_buffer_size big;
--- must_die
--- error_log
"lua_socket_buffer_size" directive invalid value



=== TEST 5: a number of connections must be one
--- config
    lua_socket_pool_size -1;
--- must_die
--- error_log
"lua_socket_pool_size" directive invalid number



=== TEST 6: each stands once
--- config
    lua_socket_keepalive_timeout 1s;
    lua_socket_keepalive_timeout 1s;
--- must_die
--- error_log
"lua_socket_keepalive_timeout" directive is duplicate



=== TEST 7: on or off
--- config
    lua_socket_log_errors 1;
--- must_die
--- error_log
invalid value "1" in "lua_socket_log_errors", it must be "on" or "off"
