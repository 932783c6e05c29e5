# ngx.req.read_body, get_body_data, get_body_file, discard_body, get_post_args.
use Test::Nginx::Socket 'no_plan';

no_long_string();
run_tests();

__DATA__

=== TEST 1: a body in memory
--- config
    location = /t {
        content_by_lua_block {
            ngx.say(ngx.req.get_body_data(), " ", ngx.req.get_body_file())
            ngx.req.read_body()
            ngx.say(ngx.req.get_body_data(), " ", ngx.req.get_body_file())
            ngx.say(ngx.req.get_body_data(5))
            ngx.req.read_body()
            ngx.say(ngx.req.get_body_data())
        }
    }
--- request
POST /t
hello, world
--- response_body
nil nil
hello, world nil
hello
hello, world
--- no_error_log
[error]

=== TEST 2: a body in a file
--- config
    location = /t {
        client_body_in_file_only clean;
        content_by_lua_block {
            ngx.req.read_body()
            ngx.say(ngx.req.get_body_data())
            local file = assert(io.open(ngx.req.get_body_file()))
            ngx.say(file:read("*a"))
            file:close()
            local args, err = ngx.req.get_post_args()
            ngx.say(args, " ", err)
        }
    }
--- request
POST /t
a=1&b=2
--- response_body
nil
a=1&b=2
nil request body in temp file not supported
--- no_error_log
[error]

=== TEST 3: no body
--- config
    location = /t {
        content_by_lua_block {
            ngx.req.read_body()
            ngx.say(ngx.req.get_body_data(), " ", ngx.req.get_body_file(), " ", next(ngx.req.get_post_args()))
        }
    }
--- request
GET /t
--- response_body
nil nil nil
--- no_error_log
[error]

=== TEST 4: a discarded body
--- config
    location = /t {
        content_by_lua_block {
            ngx.req.discard_body()
            ngx.req.read_body()
            ngx.say(ngx.req.get_body_data())
        }
    }
--- pipelined_requests eval
["POST /t\nfirst", "POST /t\nsecond"]
--- response_body eval
["nil\n", "nil\n"]
--- no_error_log
[error]

=== TEST 5: arguments of a body
--- config
    location = /t {
        content_by_lua_block {
            ngx.say(select(2, pcall(ngx.req.get_post_args)))
            ngx.req.read_body()
            local args = ngx.req.get_post_args()
            ngx.say(args.a, " ", args.b[1], " ", args.b[2], " ", args.c)
            local args, err = ngx.req.get_post_args(2)
            ngx.say(args.a, " ", args.b, " ", args.c, " ", err)
        }
    }
--- request
POST /t
a=1+%41&b=x&b&c=
--- response_body
no request body found; maybe you should turn on lua_need_request_body?
1 A x true 
1 A x nil truncated
--- no_error_log
[error]

=== TEST 6: wrong arguments
--- config
    location = /t {
        content_by_lua_block {
            for _, call in ipairs {
                function() local _ = ngx.req.read_body(1) end,
                function() local _ = ngx.req.discard_body(1) end,
                function() local _ = ngx.req.get_body_file(1) end,
                function() local _ = ngx.req.get_body_data("x") end,
                function() local _ = ngx.req.get_post_args(1, 2) end,
                function() local _ = ngx.req.get_post_args("x") end,
            } do
                local ok, err = pcall(call)
                ngx.say((err:gsub("^.-:%d+: ", "")))
            end
        }
    }
--- request
GET /t
--- response_body
expecting 0 arguments but seen 1
expecting 0 arguments but seen 1
expecting 0 arguments but seen 1
bad argument #1 to 'get_body_data' (number expected, got string)
expecting 0 or 1 arguments but seen 2
bad argument #1 to 'get_post_args' (number expected, got string)
--- no_error_log
[error]

=== TEST 7: a chunked body, and more than one request over its connection
--- config
    location = /t {
        content_by_lua_block {
            ngx.req.read_body()
            ngx.print(ngx.req.get_body_data())
        }
    }
--- raw_request eval
"POST /t HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
--- response_body chop
abcde
--- no_error_log
[error]

=== TEST 8: a body that is not read does not spoil the next request
--- config
    location = /t {
        content_by_lua_block { ngx.say("unread") }
    }
    location = /exit {
        content_by_lua_block { ngx.say("left") ngx.exit(200) }
    }
--- pipelined_requests eval
["POST /t\nfirst body", "POST /exit\nsecond body", "GET /t"]
--- response_body eval
["unread\n", "left\n", "unread\n"]
--- no_error_log
[error]

=== TEST 9: reading after discarding finds nothing
--- config
    location = /t {
        content_by_lua_block {
            ngx.req.discard_body()
            ngx.req.read_body()
            ngx.say(ngx.req.get_body_data(), " ", ngx.req.get_body_file())
        }
    }
--- pipelined_requests eval
["POST /t\nthe first body", "POST /t\nthe second body"]
--- response_body eval
["nil nil\n", "nil nil\n"]
--- no_error_log
[error]

=== TEST 10: read in an earlier phase, found in a later one and after an internal redirect
--- config
    location = /t {
        rewrite_by_lua_block { ngx.req.read_body() }
        access_by_lua_block { ngx.ctx.access = ngx.req.get_body_data() }
        content_by_lua_block {
            ngx.req.read_body()
            ngx.req.set_header("X-Seen", ngx.ctx.access)
            ngx.exec("/next")
        }
    }
    location = /next {
        content_by_lua_block { ngx.say(ngx.var.http_x_seen, " ", ngx.req.get_body_data()) }
    }
--- request
POST /t
body
--- response_body
body body
--- no_error_log
[error]

=== TEST 11: a body above client_max_body_size is answered by nginx, with a length
--- config
    location = /t {
        client_max_body_size 10;
        content_by_lua_block {
            ngx.req.read_body()
            ngx.say("not reached")
        }
    }
--- raw_request eval
"POST /t HTTP/1.1\r\nHost: x\r\nContent-Length: 11\r\nConnection: close\r\n\r\n01234567890"
--- error_code: 413
--- no_error_log
[alert]

=== TEST 12: a body above client_max_body_size is answered by nginx, chunked
--- config
    location = /t {
        client_max_body_size 10;
        content_by_lua_block {
            ngx.req.read_body()
            ngx.say("not reached")
        }
    }
--- raw_request eval
"POST /t HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\nb\r\n01234567890\r\n0\r\n\r\n"
--- error_code: 413
--- no_error_log
[alert]

=== TEST 13: a client that waits to be asked for its body is
--- config
    location = /t {
        content_by_lua_block {
            ngx.req.read_body()
            ngx.say(ngx.req.get_body_data())
        }
    }
--- raw_request eval
"POST /t HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nExpect: 100-continue\r\nConnection: close\r\n\r\nbody"
--- ignore_response
--- access_log eval
qr/"POST \/t HTTP\/1.1" 200/
--- no_error_log
[error]

=== TEST 14: a body that arrives in pieces, in memory
--- config
    client_body_buffer_size 1k;
    location = /t {
        content_by_lua_block {
            ngx.req.read_body()
            local body = ngx.req.get_body_data()
            if not body then
                local file = io.open(ngx.req.get_body_file())
                body = file:read("*a")
                file:close()
            end
            ngx.say(ngx.req.get_body_file() and "file " or "memory ", #body)
        }
    }
--- raw_request eval
["POST /t HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\nConnection: close\r\n\r\n", "abc", "def", "ghi"]
--- response_body
memory 9
--- no_error_log
[error]

=== TEST 15: a body that arrives in pieces, in a file
--- config
    client_body_buffer_size 1k;
    location = /t {
        content_by_lua_block {
            ngx.req.read_body()
            local body = ngx.req.get_body_data()
            if not body then
                local file = io.open(ngx.req.get_body_file())
                body = file:read("*a")
                file:close()
            end
            ngx.say(ngx.req.get_body_file() and "file " or "memory ", #body)
        }
    }
--- raw_request eval
["POST /t HTTP/1.1\r\nHost: x\r\nContent-Length: 3000\r\nConnection: close\r\n\r\n", "x" x 1000, "y" x 1000, "z" x 1000]
--- response_body
file 3000
--- no_error_log
[error]
