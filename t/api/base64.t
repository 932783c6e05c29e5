# ngx.base64
use Test::Nginx::Socket 'no_plan';

run_tests();

__DATA__

=== TEST 1: there and back
--- config
    location = /t {
        content_by_lua_block {
            local base64 = require "ngx.base64"
            for _, text in ipairs { "", "a", "ab", "abc", "\255\254\253", "??>>", "\0\0" } do
                local encoded = base64.encode_base64url(text)
                ngx.say("[", encoded, "] ", base64.decode_base64url(encoded) == text)
            end
            local long = ("\251\255\190"):rep(100000)
            local encoded = base64.encode_base64url(long)
            ngx.say(#encoded, " ", encoded:find "[^-_A-Za-z0-9]", " ", base64.decode_base64url(encoded) == long)
        }
    }
--- request
GET /t
--- response_body
[] true
[YQ] true
[YWI] true
[YWJj] true
[__79] true
[Pz8-Pg] true
[AAA] true
400000 nil true



=== TEST 2: what is refused
--- config
    location = /t {
        content_by_lua_block {
            local base64 = require "ngx.base64"
            for _, text in ipairs { "//79", "Y", "YW Jj", "YWJj\n", "!" } do ngx.say(base64.decode_base64url(text)) end
            for _, value in ipairs { 12, true, {} } do
                ngx.say(base64.encode_base64url(value))
                ngx.say(base64.decode_base64url(value))
            end
            ngx.say(base64.encode_base64url())
            ngx.say(base64.decode_base64url("YQ=="))
        }
    }
--- request
GET /t
--- response_body
nilinvalid input
nilinvalid input
nilinvalid input
nilinvalid input
nilinvalid input
nilmust provide a string
nilmust provide a string
nilmust provide a string
nilmust provide a string
nilmust provide a string
nilmust provide a string
nilmust provide a string
a
