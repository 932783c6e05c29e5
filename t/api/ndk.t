# ndk.set_var.DIRECTIVE, where ndk_http_module is not loaded.
use Test::Nginx::Socket 'no_plan';

no_long_string();
run_tests();

__DATA__

=== TEST 1: there is no ndk without its module
--- config
    location = /t {
        content_by_lua_block {
            ngx.say(type(ndk), " ", tostring((pcall(require, "ndk"))))
            ngx.say(select(2, pcall(function() return ndk.set_var.set_escape_uri(" ") end)))
        }
    }
--- request
GET /t
--- response_body_like
^nil false
.*attempt to index global 'ndk' \(a nil value\)
