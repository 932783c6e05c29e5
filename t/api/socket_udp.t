# ngx.socket.udp: datagrams to one peer.
use lib 't/lib';
use Test::Nginx::Socket 'no_plan';
use HotLua::Datagrams;

my $peer = HotLua::Datagrams->start;
$ENV{TEST_NGINX_UDP_PORT} = $peer->{port};
$ENV{TEST_NGINX_UDP_PATH} = $peer->{path};

run_tests();

__DATA__

=== TEST 1: a datagram goes out and the answer comes in
--- config
    location /t {
        content_by_lua_block {
            local sock = ngx.socket.udp()
            ngx.say(sock:setpeername("127.0.0.1", $TEST_NGINX_UDP_PORT))
            ngx.say(sock:send("hello"))
            ngx.say(sock:receive())
            ngx.say(sock:send("a\0b"))
            ngx.say((sock:receive():gsub("%z", "0")))
            ngx.say(sock:close())
        }
    }
--- request
GET /t
--- response_body
1
1
5:hello
1
3:a0b
1
--- no_error_log
[error]



=== TEST 2: each phase that may wait may use one
--- config
    location /t {
        rewrite_by_lua_block { ngx.ctx.rewrite = require "ask" "rewrite" }
        access_by_lua_block { ngx.ctx.access = require "ask" "access" }
        content_by_lua_block { ngx.say(ngx.ctx.rewrite, " ", ngx.ctx.access, " ", require "ask" "content") }
    }
--- http_config
    init_by_lua_block {
        package.preload.ask = function()
            return function(text)
                local sock = ngx.socket.udp()
                assert(sock:setpeername("127.0.0.1", $TEST_NGINX_UDP_PORT))
                assert(sock:send(text))
                return sock:receive()
            end
        end
    }
--- request
GET /t
--- response_body
7:rewrite 6:access 7:content



=== TEST 3: the others refuse it
--- config
    location /t {
        content_by_lua_block { ngx.say("ok") }
        header_filter_by_lua_block { ngx.header.x_error = select(2, pcall(ngx.socket.udp)) }
    }
--- request
GET /t
--- response_body
ok
--- response_headers
X-Error: API disabled in the context of header_filter_by_lua*



=== TEST 4: a UNIX socket, which can answer because ours has a name too
--- config
    location /t {
        content_by_lua_block {
            local sock = ngx.socket.udp()
            ngx.say(sock:setpeername("unix:$TEST_NGINX_UDP_PATH"))
            sock:send("hello")
            ngx.say(sock:receive())
        }
    }
--- request
GET /t
--- response_body
1
5:hello



=== TEST 5: what is no peer
--- config
    location /t {
        content_by_lua_block {
            local sock = ngx.socket.udp()
            local function try(...)
                local ok, err = sock:setpeername(...)
                ngx.say(tostring(ok), " ", err)
            end
            try("unix:/nosuch/socket")
            try("unix:")
            try("", 53)
            try("::1", 53)
            try("a/b", 53)
            try("127.0.0.1", -1)
            try("127.0.0.1", 65536)
            try("nosuch.test", 53)
            try(127, 53)
            ngx.say(sock:send("x"))
        }
    }
--- request
GET /t
--- response_body
nil no such file or directory
nil failed to parse host name "unix:": no path in the unix domain socket
nil failed to parse host name "": no host
nil failed to parse host name "::1": invalid port
nil failed to parse host name "a/b": invalid host
nil bad port number: -1
nil bad port number: 65536
nil no resolver defined to resolve "nosuch.test"
nil no resolver defined to resolve "127"
nilclosed
--- error_log
connect() failed (2: No such file or directory)
attempt to send data on a closed socket: u:



=== TEST 6: what can be sent
--- config
    location /t {
        content_by_lua_block {
            local sock = ngx.socket.udp()
            sock:setpeername("127.0.0.1", $TEST_NGINX_UDP_PORT)
            for _, data in ipairs { 12, 2.5, true, { "a", 1, { "b", { 2.5 } }, "c" }, {}, "" } do
                local ok, err = sock:send(data)
                ngx.say(ok, " ", sock:receive())
            end
            sock:send(nil)
            ngx.say(sock:receive())
            ngx.say(sock:send(("x"):rep(70000)))
        }
    }
--- request
GET /t
--- response_body
1 2:12
1 3:2.5
1 4:true
1 7:a1b2.5c
1 0:
1 0:
3:nil
nilmessage too long



=== TEST 7: what cannot, and calls that are wrong otherwise
--- config
    location /t {
        content_by_lua_block {
            local sock = ngx.socket.udp()
            sock:setpeername("127.0.0.1", $TEST_NGINX_UDP_PORT)
            local function try(call)
                local ok, err = pcall(call)
                ngx.say((err:gsub("^.-:%d+: ", "")))
            end
            try(function() sock:send(print) end)
            try(function() sock:send { true } end)
            try(function() sock:send { a = 1 } end)
            try(function() sock:send() end)
            try(function() sock.send(1, "x") end)
            try(function() sock:receive("x") end)
            try(function() sock:receive(1, 2) end)
            try(function() sock:setpeername() end)
            try(function() sock:setpeername({}, 1) end)
            try(function() sock:setpeername("127.0.0.1", "x") end)
            try(function() sock:settimeout() end)
            try(function() sock:close(1) end)
            try(function() ngx.socket.udp(1) end)
            ngx.say(getmetatable(sock).send == sock.send, " ", sock.send({}, "x"))
        }
    }
--- request
GET /t
--- response_body
bad argument #1 to 'send' (string, number, boolean, nil, or array table expected, got function)
bad argument #1 to 'send' (bad data type boolean found)
bad argument #1 to 'send' (non-array table found)
expecting 2 arguments (including the object), but got 1
bad argument #1 to 'send' (table expected, got number)
bad argument #1 to 'receive' (number expected, got string)
expecting 1 or 2 arguments (including the object), but got 3
ngx.socket.udp setpeername: expecting 2 or 3 arguments (including the object), but seen 1
bad argument #1 to 'setpeername' (string expected, got table)
bad argument #2 to 'setpeername' (number expected, got string)
ngx.socket settimeout: expecting at least 2 arguments (including the object) but seen 1
expecting 1 argument (including the object) but seen 2
expecting zero arguments, but got 1
true nilclosed



=== TEST 8: a datagram is cut to the size that is asked for, and the rest is gone
--- config
    location /t {
        content_by_lua_block {
            local sock = ngx.socket.udp()
            sock:setpeername("127.0.0.1", $TEST_NGINX_UDP_PORT)
            sock:send("twice abc")
            ngx.say(sock:receive(2))
            ngx.say(sock:receive())
            sock:send("big 20000")
            ngx.say(#sock:receive())
            sock:send("big 20000")
            ngx.say(#sock:receive(100000))
            sock:send("empty")
            ngx.say(#sock:receive())
        }
    }
--- request
GET /t
--- response_body
ab
abc 2
20000
20000
0



=== TEST 9: the time that a datagram may take
--- config
    location /t {
        content_by_lua_block {
            local sock = ngx.socket.udp()
            sock:setpeername("127.0.0.1", $TEST_NGINX_UDP_PORT)
            sock:settimeout(1)
            ngx.say(sock:receive())
            sock:send("later")
            sock:settimeout(5000)
            ngx.say(sock:receive())
        }
    }
--- request
GET /t
--- response_body
niltimeout
5:later
--- error_log
lua udp socket read timed out



=== TEST 10: the location's time, where Lua sets none or sets 0; and silence
--- config
    lua_socket_log_errors off;
    location /t {
        lua_socket_read_timeout 1ms;
        content_by_lua_block {
            local sock = ngx.socket.udp()
            sock:setpeername("127.0.0.1", $TEST_NGINX_UDP_PORT)
            ngx.say(sock:receive())
            sock:settimeout(0)
            ngx.say(sock:receive())
            sock:close()
            ngx.say(sock:receive())
        }
    }
--- request
GET /t
--- response_body
niltimeout
niltimeout
nilclosed
--- no_error_log
[error]



=== TEST 11: one light thread at a time
--- config
    location /t {
        content_by_lua_block {
            local sock = ngx.socket.udp()
            sock:setpeername("127.0.0.1", $TEST_NGINX_UDP_PORT)
            sock:settimeout(50)
            local reader = ngx.thread.spawn(function() return sock:receive() end)
            ngx.say(sock:receive())
            ngx.say(sock:send("x"))
            ngx.say(sock:setpeername("127.0.0.1", $TEST_NGINX_UDP_PORT))
            ngx.say(sock:close())
            local _, data, err = ngx.thread.wait(reader)
            ngx.say(tostring(data), " ", err)
            ngx.say(sock:send("again"))
            ngx.say(sock:receive())
        }
    }
--- request
GET /t
--- response_body
nilsocket busy
nilsocket busy
nilsocket busy
nilsocket busy
nil timeout
1
5:again



=== TEST 12: a killed reader leaves a closed socket, which can be used anew
--- config
    location /t {
        content_by_lua_block {
            local sock = ngx.socket.udp()
            sock:setpeername("127.0.0.1", $TEST_NGINX_UDP_PORT)
            local reader = ngx.thread.spawn(function() return sock:receive() end)
            ngx.say(ngx.thread.kill(reader))
            ngx.say(sock:send("x"))
            ngx.say(sock:setpeername("127.0.0.1", $TEST_NGINX_UDP_PORT))
            sock:send("x")
            ngx.say(sock:receive())
        }
    }
--- request
GET /t
--- response_body
1
nilclosed
1
1:x



=== TEST 13: setting the peer again opens another socket
--- config
    location /t {
        content_by_lua_block {
            local sock = ngx.socket.udp()
            sock:setpeername("127.0.0.1", $TEST_NGINX_UDP_PORT)
            sock:send("first")
            ngx.say(sock:setpeername("unix:$TEST_NGINX_UDP_PATH"))
            sock:send("second")
            ngx.say(sock:receive())
            ngx.say(sock:close())
            ngx.say(sock:close())
        }
    }
--- request
GET /t
--- response_body
1
6:second
1
nilclosed



=== TEST 14: a port where nobody listens
--- config
    location /t {
        content_by_lua_block {
            local sock = ngx.socket.udp()
            ngx.say(sock:setpeername("127.0.0.1", $TEST_NGINX_RAND_PORT_1))
            ngx.say(sock:send("x"))
            ngx.say(sock:receive())
        }
    }
--- request
GET /t
--- response_body
1
1
nilconnection refused
--- error_log
recv() failed (111: Connection refused)



=== TEST 15: a socket is its request's: another one may not use it, nor a subrequest
--- config
    location /t {
        content_by_lua_block {
            local sock = ngx.socket.udp()
            package.loaded.kept = sock
            sock:setpeername("127.0.0.1", $TEST_NGINX_UDP_PORT)
            ngx.print(ngx.location.capture("/other").body)
            sock:send("mine")
            ngx.say(sock:receive())
        }
    }
    location /other {
        content_by_lua_block {
            local sock = package.loaded.kept
            for _, method in ipairs { "send", "receive", "setpeername", "close" } do
                local ok, err = pcall(sock[method], sock, method ~= "receive" and method ~= "close" and "x" or nil)
                if method == "receive" then ok, err = pcall(sock.receive, sock) end
                if method == "close" then ok, err = pcall(sock.close, sock) end
                ngx.say(method, " ", tostring(ok), " ", err)
            end
        }
    }
--- request
GET /t
--- response_body
send false bad request
receive false bad request
setpeername false bad request
close false bad request
4:mine



=== TEST 16: it is closed when its request ends, and then anybody's
--- config
    location /t {
        content_by_lua_block {
            local sock = package.loaded.kept
            if sock then ngx.say(sock:send("x")) end
            sock = sock or ngx.socket.udp()
            package.loaded.kept = sock
            ngx.say(sock:setpeername("127.0.0.1", $TEST_NGINX_UDP_PORT))
            sock:send("hello")
            ngx.say(sock:receive())
        }
    }
--- pipelined_requests eval
["GET /t", "GET /t"]
--- response_body eval
["1\n5:hello\n", "nilclosed\n1\n5:hello\n"]



=== TEST 17: where the datagrams come from
--- config
    location /t {
        content_by_lua_block {
            local sock = ngx.socket.udp()
            ngx.say(sock:bind("127.0.0.2"))
            sock:setpeername("127.0.0.1", $TEST_NGINX_UDP_PORT)
            sock:send("from")
            ngx.say(sock:receive())
            ngx.say(sock:bind("nowhere"))
            ngx.say(sock:bind("unix:/tmp/x"))
        }
    }
--- request
GET /t
--- response_body
1
127.0.0.2
nilbad address
nilbad address



=== TEST 18: sockets that are open when the request fails or exits are closed
--- config
    location /t {
        content_by_lua_block {
            for i = 1, 50 do
                local sock = ngx.socket.udp()
                sock:setpeername("127.0.0.1", $TEST_NGINX_UDP_PORT)
                ngx.thread.spawn(function() sock:receive() end)
            end
            if ngx.var.arg_fail then error("fails") end
            ngx.say(#io.popen("ls /proc/" .. ngx.worker.pid() .. "/fd"):read("*a"):gsub("[^\n]", "") < 90)
            ngx.exit(200)
        }
    }
--- pipelined_requests eval
["GET /t", "GET /t", "GET /t", "GET /t"]
--- response_body eval
["true\n", "true\n", "true\n", "true\n"]
--- no_error_log
[error]
