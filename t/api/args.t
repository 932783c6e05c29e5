# ngx.encode_args, ngx.decode_args, ngx.req.get_uri_args, ngx.req.set_uri_args, ngx.req.set_uri.
use Test::Nginx::Socket 'no_plan';

our $HttpConfig = <<'_END_';
    init_by_lua_block {
        -- A table of arguments, sorted by name.
        function shown(args, err)
            local lines = {}
            for name, value in pairs(args) do
                if type(value) == "table" then
                    local all = {}
                    for i, one in ipairs(value) do all[i] = tostring(one) end
                    value = "{" .. table.concat(all, ",") .. "}"
                end
                lines[#lines + 1] = name .. ":" .. tostring(value)
            end
            table.sort(lines)
            return table.concat(lines, " ") .. (err and " " .. err or "")
        end

        function failure(call, ...)
            local ok, err = pcall(call, ...)
            return ok and "no error" or (err:gsub("^.-:%d+: ", ""))
        end
    }
_END_

no_long_string();
run_tests();

__DATA__

=== TEST 1: get_uri_args
--- http_config eval: $::HttpConfig
--- config
    location = /t {
        content_by_lua_block { ngx.say(shown(ngx.req.get_uri_args())) }
    }
--- request
GET /t?a%20b=1%61+2&foo&bar=&foo=x&=lost&&foo
--- response_body
a b:1a 2 bar: foo:{true,x,true}
--- no_error_log
[error]

=== TEST 2: no arguments
--- http_config eval: $::HttpConfig
--- config
    location = /t {
        content_by_lua_block { ngx.say("[", shown(ngx.req.get_uri_args()), "]") }
    }
--- request
GET /t
--- response_body
[]
--- no_error_log
[error]

=== TEST 3: at most 100, or as many as asked for
--- http_config eval: $::HttpConfig
--- config
    location = /t {
        content_by_lua_block {
            local function count(...)
                local args, err = ngx.req.get_uri_args(...)
                return #args.a, " ", err
            end
            ngx.say(count())
            ngx.say(count(2))
            ngx.say(count(150))
            ngx.say(count(0))
            ngx.say(count(-1))
            ngx.say(count(151))
        }
    }
--- request eval
"GET /t?" . CORE::join("&", ("a=1") x 151)
--- response_body
100 truncated
2 truncated
150 truncated
151 nil
151 nil
151 nil
--- no_error_log
[error]

=== TEST 4: a given table is emptied and used
--- http_config eval: $::HttpConfig
--- config
    location = /t {
        content_by_lua_block {
            local mine = { old = 1, 2, 3 }
            ngx.say(ngx.req.get_uri_args(nil, mine) == mine, " ", shown(mine))
            ngx.say(failure(ngx.req.get_uri_args, 1, "x"))
            ngx.say(failure(ngx.req.get_uri_args, "x"))
        }
    }
--- request
GET /t?a=1
--- response_body
true a:1
bad argument #2 to '?' (table expected, got string)
bad argument #1 to '?' (number expected, got string)
--- no_error_log
[error]

=== TEST 5: decode_args
--- http_config eval: $::HttpConfig
--- config
    location = /t {
        content_by_lua_block {
            ngx.say(shown(ngx.decode_args("a=b=c&d&e+f=%41%&=x&d=")))
            ngx.say(shown(ngx.decode_args("a=1&b=2&c=3", 2)))
            ngx.say(shown(ngx.decode_args("a&&b", 2)))
            ngx.say(shown(ngx.decode_args("a=1&b=2", "2")))
            ngx.say("[", shown(ngx.decode_args("")), "]")
            ngx.say(failure(ngx.decode_args))
            ngx.say(failure(ngx.decode_args, "a", 1, 2))
            ngx.say(failure(ngx.decode_args, {}))
            ngx.say(failure(ngx.decode_args, "a", {}))
        }
    }
--- request
GET /t
--- response_body
a:b=c d:{true,} e f:A%
a:1 b:2 truncated
a:true truncated
a:1 b:2
[]
expecting 1 or 2 arguments but seen 0
expecting 1 or 2 arguments but seen 3
bad argument #1 to '?' (string expected, got table)
bad argument #2 to '?' (number expected, got table)
--- no_error_log
[error]

=== TEST 6: encode_args
--- http_config eval: $::HttpConfig
--- config
    location = /t {
        content_by_lua_block {
            ngx.say(ngx.encode_args({ ["b r"] = "hello world" }))
            ngx.say(ngx.encode_args({ a = { 32, "x&y", true, false } }))
            ngx.say(ngx.encode_args({ a = true }), ngx.encode_args({ a = false }), ngx.encode_args({ a = {} }))
            ngx.say("[", ngx.encode_args({}), "]")
            ngx.say(failure(ngx.encode_args))
            ngx.say(failure(ngx.encode_args, "a=b"))
            ngx.say(failure(ngx.encode_args, { 1 }))
            ngx.say(failure(ngx.encode_args, { a = print }))
            ngx.say(failure(ngx.encode_args, { a = { {} } }))
            ngx.say(failure(ngx.encode_args, { a = ngx.null }))
        }
    }
--- request
GET /t
--- response_body
b%20r=hello%20world
a=32&a=x%26y&a
a
[]
expecting 1 argument but seen 0
bad argument #1 to '?' (table expected, got string)
attempt to use a non-string key in the "args" option table
attempt to use function as query arg value
attempt to use table as query arg value
attempt to use userdata as query arg value
--- no_error_log
[error]

=== TEST 7: set_uri_args
--- http_config eval: $::HttpConfig
--- config
    location = /t {
        content_by_lua_block {
            ngx.req.set_uri_args("a=3&b=x\0 y\127")
            ngx.say(ngx.var.args)
            ngx.req.set_uri_args({ a = { 1, "b c" } })
            ngx.say(ngx.var.args, " ", shown(ngx.req.get_uri_args()))
            ngx.req.set_uri_args(5)
            ngx.say(ngx.var.args)
            ngx.req.set_uri_args("")
            ngx.say("[", ngx.var.args, ngx.var.is_args, "] ", ngx.var.request_uri)
            ngx.say(failure(ngx.req.set_uri_args, nil))
            ngx.say(failure(ngx.req.set_uri_args))
            ngx.say(failure(ngx.req.set_uri_args, { a = print }))
        }
    }
--- request
GET /t?old=1
--- response_body
a=3&b=x%00%20y%7F
a=1&a=b%20c a:{1,b c}
5
[] /t?old=1
bad argument #1 to '?' (string, number, or table expected, but got nil)
expecting 1 argument but seen 0
attempt to use function as query arg value
--- no_error_log
[error]

=== TEST 8: set_uri
--- http_config eval: $::HttpConfig
--- config
    location = /t {
        content_by_lua_block {
            ngx.req.set_uri("/new path")
            ngx.say(ngx.var.uri, " ", ngx.var.request_uri)
            ngx.req.set_uri("/a\0b", false, true)
            ngx.say(#ngx.var.uri)
            ngx.say(failure(ngx.req.set_uri, ""))
            ngx.say(failure(ngx.req.set_uri))
            ngx.say(failure(ngx.req.set_uri, {}))
            ngx.say(failure(ngx.req.set_uri, "/a\1b\127"))
            ngx.say(failure(ngx.req.set_uri, "/x", 1))
            ngx.say(failure(ngx.req.set_uri, "/x", true))
            ngx.say(#ngx.var.uri)
        }
    }
--- request
GET /t?a=1
--- response_body
/new path /t?a=1
4
attempt to use zero-length uri
expecting 1, 2 or 3 arguments but seen 0
bad argument #1 to '?' (string expected, got table)
unsafe byte "0x01" in uri "/a\x01b\x7F" (maybe you want to set the 'binary' argument?)
bad argument #2 to '?' (boolean expected, got number)
API disabled in the context of content_by_lua*
4
--- no_error_log
[error]

=== TEST 9: a path that is set is escaped where it is proxied
--- config
    location = /t {
        rewrite_by_lua_block {
            ngx.req.set_uri(ngx.unescape_uri(ngx.var.arg_path), false, true)
        }
        proxy_pass http://127.0.0.1:$TEST_NGINX_SERVER_PORT;
    }
    location /up {
        content_by_lua_block { ngx.say(ngx.var.request_uri) }
    }
--- pipelined_requests eval
["GET /t?path=/up/a%20b", "GET /t?path=/up/%0d%0aX:%20y", "GET /t?path=/up/%2525%3F%23", "GET /t?path=/up/plain"]
--- response_body eval
["/up/a%20b?path=/up/a%20b\n", "/up/%0D%0AX:%20y?path=/up/%0d%0aX:%20y\n",
 "/up/%2525%3F%23?path=/up/%2525%3F%23\n", "/up/plain?path=/up/plain\n"]
--- no_error_log
[error]

=== TEST 10: a jump finds the location of the new path, and what follows it does not run
--- config
    location = /t {
        rewrite_by_lua_block {
            ngx.req.set_uri_args("a=1")
            ngx.req.set_uri("/next", true)
            ngx.log(ngx.ERR, "not reached")
        }
        content_by_lua_block { ngx.say("not here") }
    }
    location = /waits {
        rewrite_by_lua_block {
            ngx.sleep(0.001)
            ngx.ctx.gone = "as after an internal redirect"
            ngx.req.set_uri("/next", true)
        }
    }
    location = /next {
        content_by_lua_block { ngx.say(ngx.var.uri, "?", ngx.var.args, " ", ngx.ctx.gone) }
    }
--- pipelined_requests eval
["GET /t", "GET /waits?b=2"]
--- response_body eval
["/next?a=1 nil\n", "/next?b=2 nil\n"]
--- no_error_log
[error]

=== TEST 11: jumping in a circle ends
--- config
    location /t {
        rewrite_by_lua_block { ngx.req.set_uri("/t", true) }
    }
--- request
GET /t
--- error_code: 500
--- error_log
rewrite or internal redirection cycle while processing "/t"

=== TEST 12: only the rewrite phase jumps
--- config
    location = /t {
        access_by_lua_block {
            local ok, err = pcall(function() local _ = ngx.req.set_uri("/x", true) end)
            ngx.say(err:gsub("^.-:%d+: ", ""), " ", ngx.var.uri)
        }
    }
--- request
GET /t
--- response_body
API disabled in the context of access_by_lua* /t
--- no_error_log
[error]
