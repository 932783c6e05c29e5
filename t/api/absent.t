# What is not there yet.
use Test::Nginx::Socket 'no_plan';

run_tests();

__DATA__

=== TEST 1: functions return nil and why, modules do not load
--- config
    location = /t {
        content_by_lua_block {
            ngx.say(ngx.socket.udp())
            ngx.say(select(2, pcall(require, "ngx.pipe")))
        }
    }
--- request
GET /t
--- response_body_like
nilngx\.socket\.udp is not supported
.*module 'ngx\.pipe' is not supported
