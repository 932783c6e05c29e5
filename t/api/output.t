# ngx.say, ngx.print, ngx.flush, ngx.eof, ngx.send_headers.
use Test::Nginx::Socket 'no_plan';

no_long_string();
run_tests();

__DATA__

=== TEST 1: every kind of argument
--- config
    location = /t {
        content_by_lua_block {
            ngx.say("s", 1, -2.5, nil, true, false, ngx.null)
            ngx.print("a", "b")
            ngx.print(1)
            ngx.print("-", 2, "\n")
            ngx.say()
            ngx.say("", "x")
            ngx.say(1e100, " ", 1/0, " ", 2^53, " ", 0.1)
        }
    }
--- request
GET /t
--- response_body
s1-2.5niltruefalsenull
ab1-2

x
1e+100 inf 9.007199254741e+15 0.1
--- no_error_log
[error]

=== TEST 2: arrays are flattened, with nil in their holes
--- config
    location = /t {
        content_by_lua_block {
            ngx.say({"hello, ", {"world: ", true, {" ", 4}}}, "!")
            ngx.say({1, nil, 3})
            ngx.say({}, "end")
        }
    }
--- request
GET /t
--- response_body
hello, world: true 4!
1nil3
end
--- no_error_log
[error]

=== TEST 3: what cannot be output raises, and nothing of the call is sent
--- config
    location = /t {
        content_by_lua_block {
            local function try(...)
                local ok, err = pcall(ngx.say, ...)
                ngx.say(ok, ": ", err)
            end
            try("lost", print)
            try(coroutine.create(function() end))
            try("lost", {a = 1})
            try({1, {print}})
            local ok, err = pcall(function() local _ = ngx.print(print) end)
            ngx.say((err:gsub("^.-:(%d+): ", "line %1: ")))
        }
    }
--- request
GET /t
--- response_body
false: bad argument #2 to '?' (string, number, boolean, nil, ngx.null, or array table expected, but got function)
false: bad argument #1 to '?' (string, number, boolean, nil, ngx.null, or array table expected, but got thread)
false: bad argument #2 to '?' (non-array table found)
false: bad argument #1 to '?' (bad data type function found)
line 10: bad argument #1 to 'print' (string, number, boolean, nil, ngx.null, or array table expected, but got function)
--- no_error_log
[error]

=== TEST 4: results
--- config
    location = /t {
        content_by_lua_block {
            local function show(name, ok, err) ngx.log(ngx.WARN, name, ": ", ok, ", ", err) end
            show("early flush", ngx.flush())
            show("say", ngx.say("x"))
            show("flush", ngx.flush(true))
            show("headers", ngx.send_headers())
            show("eof", ngx.eof())
            show("second eof", ngx.eof())
            show("late say", ngx.say("y"))
            show("late bad say", ngx.say(print))
            show("late flush", ngx.flush())
        }
    }
--- request
GET /t
--- response_body
x
--- error_log
early flush: nil, nothing to flush
say: 1, nil
flush: 1, nil
headers: 1, nil
eof: 1, nil
second eof: nil, seen eof
late say: nil, seen eof
late bad say: nil, seen eof
late flush: nil, seen eof
--- no_error_log
[error]

=== TEST 5: bad arguments of flush and eof
--- config
    location = /t {
        content_by_lua_block {
            for _, call in ipairs {
                function() local _ = ngx.flush(1) end,
                function() local _ = ngx.flush(true, 1) end,
                function() local _ = ngx.eof(1) end,
            } do
                local ok, err = pcall(call)
                ngx.say((err:gsub("^.-:%d+: ", "")))
            end
        }
    }
--- request
GET /t
--- response_body
bad argument #1 to 'flush' (boolean expected, got number)
attempt to pass 2 arguments, but accepted 0 or 1
no argument is expected
--- no_error_log
[error]

=== TEST 6: a HEAD request has a header only
--- config
    location = /t {
        content_by_lua_block {
            local first = ngx.say("body")
            local second, err = ngx.say("more")
            ngx.log(ngx.WARN, "first ", first, ", second ", second, " ", err)
        }
    }
--- request
HEAD /t
--- response_body
--- error_code: 200
--- error_log
first 1, second nil header only
--- no_error_log
[error]

=== TEST 7: HTTP/1.0 gets a length
--- config
    location = /t {
        content_by_lua_block {
            for i = 1, 3 do ngx.say("line ", i) end
            local ok, err = ngx.flush()
            ngx.print(err)
        }
    }
--- raw_request eval
"GET /t HTTP/1.0\r\nHost: x\r\n\r\n"
--- response_headers
Content-Length: 30
--- response_body chop
line 1
line 2
line 3
buffering
--- no_error_log
[error]

=== TEST 8: more output than a buffer holds, by all paths
--- config
    location = /t {
        content_by_lua_block {
            local sum = 0
            for i = 1, 20000 do
                ngx.say("line ", i)
                ngx.print(i)
                ngx.print("-", i, "\n")
            end
            ngx.say(("x"):rep(100000))
        }
    }
--- request
GET /t
--- response_body eval
my $body = "";
for my $i (1 .. 20000) { $body .= "line $i\n$i-$i\n" }
$body . "x" x 100000 . "\n"
--- no_error_log
[error]

=== TEST 9: no output outside of a request
--- http_config
    init_by_lua_block {
        local ok, err = pcall(function() local _ = ngx.say("x") end)
        init_error = err
    }
--- config
    location = /t {
        content_by_lua_block { ngx.say(init_error) }
    }
--- request
GET /t
--- response_body_like
:\d+: no request found$
--- no_error_log
[error]

=== TEST 10: HTTP/1.0 without gathering ends by closing
--- config
    lua_http10_buffering off;
    location = /t {
        content_by_lua_block {
            ngx.say("one")
            ngx.say(ngx.flush())
        }
    }
--- raw_request eval
"GET /t HTTP/1.0\r\nHost: x\r\nConnection: keep-alive\r\n\r\n"
--- response_headers
Content-Length:
Connection: close
--- response_body
one
1
--- no_error_log
[error]

=== TEST 11: no content type by default, where the location wants none
--- config
    default_type text/css;
    lua_use_default_type off;
    location = /none { content_by_lua_block { ngx.say("x") } }
    location = /own { content_by_lua_block { ngx.header.content_type = "text/own" ngx.say("x") } }
    location = /default {
        lua_use_default_type on;
        content_by_lua_block { ngx.say("x") }
    }
--- pipelined_requests eval
["GET /none", "GET /own", "GET /default"]
--- response_headers eval
["Content-Type:", "Content-Type: text/own", "Content-Type: text/css"]
--- response_body eval
["x\n", "x\n", "x\n"]
--- no_error_log
[error]

=== TEST 12: what a filter refuses is told at once
--- config
    location = /t {
        content_by_lua_block {
            ngx.header.last_modified = "Thu, 10 May 2012 07:50:48 GMT"
            local done, err = ngx.say("x")
            ngx.log(ngx.WARN, "said: ", done, " ", err)
        }
    }
--- request
GET /t
--- more_headers
If-Unmodified-Since: Thu, 10 May 2012 07:50:47 GMT
--- error_code: 412
--- response_body_like: Precondition Failed
--- error_log
said: nil nginx output filter error
--- no_error_log
[error]

=== TEST 13: postpone_output says what is held back
--- config
    location = /t {
        postpone_output 1;
        content_by_lua_block {
            ngx.print("one ")
            ngx.log(ngx.WARN, "sent: ", ngx.var.body_bytes_sent)
            ngx.print("two")
            ngx.log(ngx.WARN, "sent: ", ngx.var.body_bytes_sent)
        }
    }
--- raw_request eval
"GET /t HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
--- response_body chop
one two
--- error_log eval
[qr/sent: 9,/, qr/sent: 17,/]
--- no_error_log
[error]
