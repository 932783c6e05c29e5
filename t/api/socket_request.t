# ngx.req.socket: the request's body as a stream.
use Test::Nginx::Socket 'no_plan';

no_long_string();
run_tests();

__DATA__

=== TEST 1: each way of reading, to the body's end and no further
--- config
    location = /t {
        content_by_lua_block {
            local sock = assert(ngx.req.socket())
            ngx.say(sock:receive(5))
            ngx.say("[", sock:receive(0), "]")
            ngx.say(sock:receiveany(2))
            ngx.say(sock:receiveuntil("or")())
            ngx.say(sock:receive())
            local line, err, partial = sock:receive()
            ngx.say(line, " ", err, " ", partial)
            line, err, partial = sock:receive()
            ngx.say(line, " ", err, " ", partial)
        }
    }
--- pipelined_requests eval
["POST /t
hello, world\r\nrest", "POST /t
12345, XorY\nlast"]
--- response_body eval
["hello\n[]\n, \nw\nld\nnil closed rest\nnil closed nil\n", "12345\n[]\n, \nX\nY\nnil closed last\nnil closed nil\n"]

=== TEST 2: the whole body, which is longer than what came with the header
--- config
    location = /t {
        content_by_lua_block {
            local sock = assert(ngx.req.socket())
            local body = sock:receive("*a")
            ngx.say(#body, " ", ngx.crc32_long(body) == ngx.crc32_long(("0123456789"):rep(10000)))
            ngx.say("[", sock:receive("*a"), "]")
        }
    }
--- request eval
"POST /t\n" . '0123456789' x 10000
--- response_body
100000 true
[]
--- no_error_log
[error]

=== TEST 3: the same in small steps through a small buffer
--- config
    location = /t {
        lua_socket_buffer_size 7;
        content_by_lua_block {
            local sock, parts = assert(ngx.req.socket()), {}
            while true do
                local data, err, partial = sock:receive(1000)
                parts[#parts + 1] = data or partial
                if not data then ngx.say(err) break end
            end
            ngx.say(#parts, " ", table.concat(parts) == ("0123456789"):rep(10001))
        }
    }
--- request eval
"POST /t\n" . '0123456789' x 10001
--- response_body
closed
101 true
--- no_error_log
[error]

=== TEST 4: requests without a body
--- config
    location = /t { content_by_lua_block { ngx.say(ngx.req.socket()) } }
--- pipelined_requests eval
["GET /t", "POST /t"]
--- response_body eval
["nilno body\n", "nilno body\n"]
--- no_error_log
[error]

=== TEST 5: a body in chunks
--- config
    location = /t { content_by_lua_block { ngx.say(ngx.req.socket()) } }
--- raw_request eval
"POST /t HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n2\r\nab\r\n0\r\n\r\n"
--- response_body
nilchunked request bodies not supported yet
--- no_error_log
[error]

=== TEST 6: a body that was read, or that somebody else has
--- config
    location = /read { content_by_lua_block { ngx.req.read_body() ngx.say(ngx.req.socket()) ngx.say(ngx.req.get_body_data()) } }
    location = /needed { lua_need_request_body on; content_by_lua_block { ngx.say(ngx.req.socket()) } }
    location = /twice {
        content_by_lua_block {
            local first = assert(ngx.req.socket())
            ngx.say(ngx.req.socket())
            ngx.req.read_body()
            ngx.say(ngx.req.get_body_data())
            ngx.say(first:receive("*a"))
        }
    }
    location = /discarded { content_by_lua_block { ngx.req.discard_body() ngx.say(ngx.req.socket()) } }
--- pipelined_requests eval
["POST /read\nhello", "POST /needed\nhello", "POST /twice\nhello", "POST /discarded\nhello"]
--- response_body eval
my $exists = "nilrequest body already exists\n";
["${exists}hello\n", $exists, "${exists}nil\nhello\n", "nilno body\n"]
--- no_error_log
[error]

=== TEST 7: calls that are wrong
--- config
    location = /t {
        content_by_lua_block {
            local function fails(name, ...)
                local ok, err = pcall(...)
                ngx.say(name, ": ", ok, " ", err)
            end
            fails("two", ngx.req.socket, true, false)
            local res = ngx.location.capture("/sub", { method = ngx.HTTP_POST, body = "hello" })
            ngx.print(res.body)
            local sock = assert(ngx.req.socket(nil))
            fails("no object", sock.receive)
            fails("number", sock.receive, 1)
            fails("nil", sock.receive, sock, nil)
            fails("negative", sock.receive, sock, -1)
            fails("pattern", sock.receive, sock, "x")
            fails("any", sock.receiveany, sock, 0)
            fails("timeout", sock.settimeout, sock, -1)
            ngx.say(sock:receiveuntil(""))
            ngx.say(sock:receive("*a"))
        }
    }
    location = /sub {
        content_by_lua_block {
            ngx.say((select(2, pcall(ngx.req.socket))))
            ngx.say((select(2, pcall(ngx.req.socket, true))))
        }
    }
--- request
POST /t
hello
--- response_body
two: false expecting zero arguments, but got 2
attempt to read the request body in a subrequest
attempt to read the request body in a subrequest
no object: false expecting 1 or 2 arguments (including the object), but got 0
number: false bad argument #1 to '?' (table expected, got number)
nil: false bad argument #2 to '?' (bad pattern argument)
negative: false bad argument #2 to '?' (bad pattern argument)
pattern: false bad argument #2 to '?' (bad pattern argument: x)
any: false bad argument #2 to '?' (bad max argument)
timeout: false bad timeout value
nilpattern is empty
hello
--- no_error_log
[error]

=== TEST 8: where it may be called
--- config
    location = /t {
        rewrite_by_lua_block { ngx.ctx.sock = ngx.req.socket() ngx.ctx.said = ngx.ctx.sock:receive(1) }
        access_by_lua_block { ngx.ctx.said = ngx.ctx.said .. ngx.ctx.sock:receive(1) }
        content_by_lua_block { ngx.say(ngx.ctx.said, ngx.ctx.sock:receive(3)) }
        header_filter_by_lua_block { ngx.log(ngx.WARN, "header: ", select(2, pcall(ngx.req.socket))) }
        body_filter_by_lua_block { ngx.log(ngx.WARN, "body: ", select(2, pcall(ngx.req.socket))) }
        log_by_lua_block { ngx.log(ngx.WARN, "log: ", select(2, pcall(ngx.req.socket))) }
    }
--- request
POST /t
hello
--- response_body
hello
--- error_log
header: API disabled in the context of header_filter_by_lua*
body: API disabled in the context of body_filter_by_lua*
log: API disabled in the context of log_by_lua*
--- no_error_log
[error]

=== TEST 9: what is left of a body is not the next request
--- config
    location = /part { content_by_lua_block { ngx.say(ngx.req.socket():receive(3)) } }
    location = /none { content_by_lua_block { ngx.req.socket() ngx.say("none") } }
    location = /early { rewrite_by_lua_block { ngx.say(ngx.req.socket():receive(3)) } }
    location = /all { content_by_lua_block { ngx.say(ngx.req.socket():receive("*a")) } }
--- pipelined_requests eval
["POST /part\nhello, world", "POST /none\nhello, world", "POST /early\nhello, world", "POST /all\nhello, world"]
--- response_body eval
["hel\n", "none\n", "hel\n", "hello, world\n"]
--- no_error_log
[error]

=== TEST 10: a client that wants to be told to send its body
--- config
    location = /t { content_by_lua_block { ngx.say(ngx.req.socket():receive(5)) } }
--- raw_request eval
["POST /t HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 5\r\nConnection: close\r\n\r\n", "hello"]
--- error_code: 100
--- response_body_like: ^HTTP/1.1 200 OK\r\n(.+\r\n)+\r\n6\r\nhello\n
--- no_error_log
[error]

=== TEST 11: a filter of bodies
--- config
    location = /t {
        rewrite_by_lua_block {
            local sock = assert(ngx.req.socket())
            ngx.req.init_body()
            repeat
                local data, err, partial = sock:receive(4)
                ngx.req.append_body((data or partial):upper())
            until not data
            ngx.req.finish_body()
        }
        proxy_pass http://127.0.0.1:$server_port/echo;
    }
    location = /echo { content_by_lua_block { ngx.req.read_body() ngx.say(ngx.req.get_body_data()) } }
--- pipelined_requests eval
["POST /t\nhello, world", "POST /t\nhello again"]
--- response_body eval
["HELLO, WORLD\n", "HELLO AGAIN\n"]
--- no_error_log
[error]

=== TEST 12: time that is over leaves a partial result, and the socket open
--- config
    location = /t {
        content_by_lua_block {
            local sock = assert(ngx.req.socket())
            sock:settimeout(1)
            local function say(data, err, partial) ngx.say(data, " ", err, " [", partial, "]") end
            say(sock:receive(6))
            say(sock:receive())
            local reader = sock:receiveuntil("--")
            say(reader())
            say(sock:receiveany(1))
        }
    }
--- raw_request eval
"POST /t HTTP/1.0\r\nHost: localhost\r\nContent-Length: 10\r\n\r\nhello"
--- response_body
nil timeout [hello]
nil timeout []
nil timeout []
nil timeout []
--- error_log
lua tcp socket read timed out

=== TEST 13: the directive's time, and no line about it
--- config
    location = /t {
        lua_socket_read_timeout 1ms;
        lua_socket_log_errors off;
        content_by_lua_block {
            local data, err, partial = ngx.req.socket():receive()
            ngx.say(data, " ", err, " ", partial)
        }
    }
--- raw_request eval
"POST /t HTTP/1.0\r\nHost: localhost\r\nContent-Length: 10\r\n\r\nhello"
--- response_body
nil timeout hello
--- no_error_log
[error]

=== TEST 14: one thread reads at a time
--- config
    location = /t {
        content_by_lua_block {
            local sock = assert(ngx.req.socket())
            sock:settimeout(10)
            local thread = ngx.thread.spawn(sock.receive, sock, 10)
            ngx.say(sock:receive(1))
            local _, _, err, partial = ngx.thread.wait(thread)
            ngx.say(err, " ", partial)
            thread = ngx.thread.spawn(sock.receive, sock, 10)
            ngx.thread.kill(thread)
            ngx.say(sock:receive(1))
        }
    }
--- raw_request eval
"POST /t HTTP/1.0\r\nHost: localhost\r\nContent-Length: 10\r\n\r\nhello"
--- response_body
nilsocket busy reading
timeout hello
nilclosed

=== TEST 15: it is closed with its request
--- config
    location = /t {
        content_by_lua_block {
            local mine = assert(ngx.req.socket())
            package.loaded.kept = package.loaded.kept or mine
            ngx.say(package.loaded.kept:receive(2))
            ngx.say(mine:receive("*a"))
        }
    }
--- pipelined_requests eval
["POST /t\nhello", "POST /t\nhello"]
--- response_body eval
["he\nllo\n", "nilclosed\nhello\n"]

=== TEST 16: an internal redirect takes it away
--- config
    location = /t { content_by_lua_block { ngx.req.socket():receive(2) ngx.exec("/on") } }
    location = /on { content_by_lua_block { ngx.say(ngx.req.socket()) } }
--- pipelined_requests eval
["POST /t\nhello", "POST /t\nhello"]
--- response_body eval
["nilrequest body already exists\n", "nilrequest body already exists\n"]
--- no_error_log
[error]

=== TEST 17: the methods that there are
--- config
    location = /t {
        content_by_lua_block {
            local sock = assert(ngx.req.socket())
            local names = {}
            for name in pairs(getmetatable(sock).__index) do names[#names + 1] = name end
            table.sort(names)
            ngx.say(table.concat(names, " "))
        }
    }
--- request
POST /t
hello
--- response_body
__index receive receiveany receiveuntil settimeout settimeouts
--- no_error_log
[error]

=== TEST 18: other output and subrequests meanwhile
--- config
    location = /t {
        content_by_lua_block {
            local sock = assert(ngx.req.socket())
            ngx.say(sock:receive(2))
            ngx.flush(true)
            ngx.print(ngx.location.capture("/sub", { method = ngx.HTTP_POST, body = "other" }).body)
            ngx.say(sock:receive(3))
        }
    }
    location = /sub { content_by_lua_block { ngx.req.read_body() ngx.say(ngx.req.get_body_data()) } }
--- pipelined_requests eval
["POST /t\nhello", "POST /t\nHELLO"]
--- response_body eval
["he\nother\nllo\n", "HE\nother\nLLO\n"]
--- no_error_log
[error]
