# lua_need_request_body: the body is read before the Lua of rewrite, access and content.
use Test::Nginx::Socket 'no_plan';

no_long_string();
run_tests();

__DATA__

=== TEST 1: the body is there, whole, in every phase and block
--- http_config
    lua_need_request_body on;
--- config
    location = /content { content_by_lua_block { ngx.say(ngx.req.get_body_data()) } }
    location = /rewrite { rewrite_by_lua_block { ngx.say(ngx.req.get_body_data()) } }
    location = /access { access_by_lua_block { ngx.say(ngx.req.get_body_data()) } }
    location = /off {
        lua_need_request_body off;
        content_by_lua_block { ngx.say(ngx.req.get_body_data()) }
    }
    location = /if {
        lua_need_request_body off;
        if ($request_method = POST) {
            lua_need_request_body on;
            content_by_lua_block { ngx.say(ngx.req.get_post_args().a) }
        }
    }
--- request eval
[map { "POST /$_\na=1&b=2" } qw(content rewrite access off if)]
--- response_body eval
[("a=1&b=2\n") x 3, "nil\n", "1\n"]
--- no_error_log
[error]

=== TEST 2: a body that arrives in pieces, in content
--- http_config
    lua_need_request_body on;
--- config
    location = /content { content_by_lua_block { ngx.say(ngx.req.get_body_data()) } }
    location = /rewrite { rewrite_by_lua_block { ngx.say(ngx.req.get_body_data()) } }
    location = /access { access_by_lua_block { ngx.say(ngx.req.get_body_data()) } }
    location = /off {
        lua_need_request_body off;
        content_by_lua_block { ngx.say(ngx.req.get_body_data()) }
    }
    location = /if {
        lua_need_request_body off;
        if ($request_method = POST) {
            lua_need_request_body on;
            content_by_lua_block { ngx.say(ngx.req.get_post_args().a) }
        }
    }
--- raw_request eval
["POST /content HTTP/1.1\r\nHost: x\r\nContent-Length: 7\r\nConnection: close\r\n\r\n", "a=1&", "b=2"]
--- response_body
a=1&b=2
--- no_error_log
[error]

=== TEST 3: a body that arrives in pieces, in rewrite
--- http_config
    lua_need_request_body on;
--- config
    location = /content { content_by_lua_block { ngx.say(ngx.req.get_body_data()) } }
    location = /rewrite { rewrite_by_lua_block { ngx.say(ngx.req.get_body_data()) } }
    location = /access { access_by_lua_block { ngx.say(ngx.req.get_body_data()) } }
    location = /off {
        lua_need_request_body off;
        content_by_lua_block { ngx.say(ngx.req.get_body_data()) }
    }
    location = /if {
        lua_need_request_body off;
        if ($request_method = POST) {
            lua_need_request_body on;
            content_by_lua_block { ngx.say(ngx.req.get_post_args().a) }
        }
    }
--- raw_request eval
["POST /rewrite HTTP/1.1\r\nHost: x\r\nContent-Length: 7\r\nConnection: close\r\n\r\n", "a=1&", "b=2"]
--- response_body
a=1&b=2
--- no_error_log
[error]

=== TEST 4: a body that arrives in pieces, in access
--- http_config
    lua_need_request_body on;
--- config
    location = /content { content_by_lua_block { ngx.say(ngx.req.get_body_data()) } }
    location = /rewrite { rewrite_by_lua_block { ngx.say(ngx.req.get_body_data()) } }
    location = /access { access_by_lua_block { ngx.say(ngx.req.get_body_data()) } }
    location = /off {
        lua_need_request_body off;
        content_by_lua_block { ngx.say(ngx.req.get_body_data()) }
    }
    location = /if {
        lua_need_request_body off;
        if ($request_method = POST) {
            lua_need_request_body on;
            content_by_lua_block { ngx.say(ngx.req.get_post_args().a) }
        }
    }
--- raw_request eval
["POST /access HTTP/1.1\r\nHost: x\r\nContent-Length: 7\r\nConnection: close\r\n\r\n", "a=1&", "b=2"]
--- response_body
a=1&b=2
--- no_error_log
[error]

=== TEST 5: Lua that waits after its body was waited for
--- config
    lua_need_request_body on;
    location = /t {
        rewrite_by_lua_block { ngx.sleep(0.001) }
        access_by_lua_block { ngx.sleep(0.001) }
        content_by_lua_block { ngx.sleep(0.001) ngx.say(ngx.req.get_body_data()) ngx.flush(true) }
    }
--- raw_request eval
["POST /t HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nConnection: close\r\n\r\n", "bo", "dy"]
--- response_body
body
--- no_error_log
[error]

=== TEST 6: a body that is too large runs no Lua
--- config
    location = /t {
        client_max_body_size 5;
        lua_need_request_body on;
        content_by_lua_block { ngx.log(ngx.ERR, "not reached") }
    }
--- raw_request eval
["POST /t HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n", "6\r\n", "123456\r\n0\r\n\r\n"]
--- error_code: 413
--- no_error_log
not reached
[alert]
