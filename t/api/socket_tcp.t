# ngx.socket.tcp, stream and connect: stream cosockets.
use IO::Socket::INET;
use Test::Nginx::Socket 'no_plan';

# One that takes connections and then neither reads nor writes.
my $silent = IO::Socket::INET->new(Listen => 100, LocalAddr => '127.0.0.1') or die "listen: $@";
$ENV{TEST_NGINX_SILENT_PORT} = $silent->sockport;

# One whose queue is full: the system answers no more of who wants to connect.
my $full = IO::Socket::INET->new(Listen => 1, LocalAddr => '127.0.0.1') or die "listen: $@";
$ENV{TEST_NGINX_FULL_PORT} = $full->sockport;
my @waiting = map {
    IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $full->sockport, Blocking => 0)
} 1 .. 5;

$ENV{TEST_NGINX_HTML_DIR} ||= html_dir();

add_block_preprocessor(sub {
    my $block = shift;
    $block->set_value(request => 'GET /t') if !defined $block->request && !defined $block->pipelined_requests;
    # What most blocks talk to, each on its own request line.
    $block->set_value(config => $block->config . <<'CONF');
    lua_http10_buffering off;
    location = /hello {
        default_type text/plain;
        return 200 "hello\nworld\n";
    }
    location = /echo {
        client_max_body_size 8m;
        client_body_buffer_size 8m;
        content_by_lua_block {
            ngx.req.read_body()
            ngx.print(ngx.req.get_body_data() or "")
        }
    }
CONF
    $block->set_value(http_config => ($block->http_config // '') . <<'CONF');
    init_by_lua_block {
        -- A socket that is connected to this server.
        function here()
            local sock = assert(ngx.socket.tcp())
            assert(sock:connect("127.0.0.1", ngx.var.server_port))
            return sock
        end
        -- One that has asked for /hello, behind the header of the answer.
        function hello()
            local sock = here()
            assert(sock:send("GET /hello HTTP/1.0\r\n\r\n"))
            repeat local line = assert(sock:receive()) until line == ""
            return sock
        end
        -- What the server got of what `send` sent after the head of a request with a body of that size.
        function echoed(size, data)
            local sock = here()
            assert(sock:send("POST /echo HTTP/1.0\r\nContent-Length: " .. size .. "\r\n\r\n"))
            local sent = assert(sock:send(data))
            repeat local line = assert(sock:receive()) until line == ""
            return sent .. " " .. sock:receive("*a")
        end
        function try(call, ...)
            local function show(ok, ...)
                local results = {}
                for i = 1, select("#", ...) do results[i] = tostring((select(i, ...))) end
                ngx.say(ok and "" or "raised: ", #results > 0 and table.concat(results, " ") or "nothing")
            end
            show(pcall(call, ...))
        end
    }
CONF
});

no_long_string();
run_tests();

__DATA__

=== TEST 1: connects, sends, and receives lines, sizes and the rest
--- config
    location /t {
        content_by_lua_block {
            local sock = ngx.socket.tcp()
            ngx.say(sock:connect("127.0.0.1", ngx.var.server_port))
            ngx.say(sock:send("GET /hello HTTP/1.0\r\n\r\n"))
            ngx.say(sock:receive())
            repeat local line = sock:receive("*l") until line == ""
            ngx.say(sock:receive(3))
            ngx.say(sock:receive("2"))
            ngx.say(#sock:receive(0))
            ngx.print(sock:receive("*a"))
            ngx.say("[", sock:receive("*a"), "]")
            ngx.say(sock:close())
        }
    }
--- response_body
1
23
HTTP/1.1 200 OK
hel
lo
0

world
[]
1



=== TEST 2: what it has not got when the other end closes is a partial result
--- config
    location /t {
        content_by_lua_block {
            local sock = hello()
            local data, err, partial = sock:receive(100)
            ngx.say(tostring(data), " ", err, " ", #partial)
            try(sock.receive, sock)
            ngx.say(sock:close())
        }
    }
--- response_body
nil closed 12
nil closed
1



=== TEST 3: a UNIX socket
--- http_config
    server {
        listen unix:$TEST_NGINX_HTML_DIR/socket_tcp.sock;
        location / { return 200 "by a path"; }
    }
--- config
    location /t {
        content_by_lua_block {
            local path = "unix:$TEST_NGINX_HTML_DIR/socket_tcp.sock"
            for _, sock in ipairs { ngx.socket.stream(), ngx.socket.tcp() } do
                ngx.say(sock:connect(path, { pool = "x" }))
                sock:send("GET / HTTP/1.0\r\n\r\n")
                repeat local line = sock:receive() until line == ""
                ngx.say(sock:receive("*a"))
            end
            try(function() return ngx.socket.connect("unix:/nowhere/at/all") end)
            try(function() return ngx.socket.connect("unix:") end)
        }
    }
--- response_body
1
by a path
1
by a path
nil no such file or directory
nil failed to parse host name "unix:": no path in the unix domain socket



=== TEST 4: ngx.socket.connect makes and connects one
--- config
    location /t {
        content_by_lua_block {
            local sock = ngx.socket.connect("127.0.0.1", ngx.var.server_port)
            ngx.say(getmetatable(sock) == getmetatable(ngx.socket.tcp()))
            ngx.say(sock:send("x"))
            try(function() return ngx.socket.connect("127.0.0.1", 1) end)
        }
    }
--- response_body
true
1
nil connection refused
--- error_log
connect() failed (111: Connection refused)



=== TEST 5: what a host and a port may be
--- config
    location /t {
        content_by_lua_block {
            local sock = ngx.socket.tcp()
            for _, where in ipairs {
                { "127.0.0.1:" .. ngx.var.server_port, 1 }, { "127.0.0.1", ngx.var.server_port .. ".5" },
                { "127.0.0.1" }, { "127.0.0.1", "eighty" }, { "127.0.0.1", true },
                { "127.0.0.1", -1 }, { "127.0.0.1", 65536 }, { "127.0.0.1", 0 },
                { "", 80 }, { "[::1", 80 }, { "::1", 80 }, { "some.host", 80 }, { 127, 80 },
            } do
                try(sock.connect, sock, where[1], where[2])
            end
        }
    }
--- response_body
1
1
nil missing the port number
nil missing the port number
nil missing the port number
nil bad port number: -1
nil bad port number: 65536
nil connection refused
nil failed to parse host name "": no host
nil failed to parse host name "[::1": invalid host
nil failed to parse host name "::1": invalid port
nil no resolver defined to resolve "some.host"
nil no resolver defined to resolve "127"



=== TEST 6: what connect refuses
--- config
    location /t {
        content_by_lua_block {
            local sock = ngx.socket.tcp()
            local function refused(...)
                local ok, err = pcall(sock.connect, ...)
                ngx.say((tostring(err):gsub("'[^']*'", "F")))
            end
            refused(sock)
            refused(sock, "a", 1, {}, 1)
            refused(1, "a", 1)
            refused(sock, {}, 1)
            refused(sock, nil, 1)
            refused(sock, "a", 1, { pool = true })
            refused(sock, "a", 1, { pool_size = 0 })
            refused(sock, "a", 1, { pool_size = "many" })
            refused(sock, "a", 1, { backlog = -1 })
            ngx.say(select(2, pcall(ngx.socket.tcp, 1)))
        }
    }
--- response_body
ngx.socket connect: expecting 2, 3, or 4 arguments (including the object), but seen 1
ngx.socket connect: expecting 2, 3, or 4 arguments (including the object), but seen 5
bad argument #1 to F (table expected, got number)
bad argument #2 to F (string expected, got table)
bad argument #2 to F (string expected, got nil)
bad argument #4 to F (bad "pool" option type: boolean)
bad argument #4 to F (bad "pool_size" option value: 0)
bad argument #4 to F (bad "pool_size" option type: string)
bad argument #4 to F (bad "backlog" option value: -1)
expecting zero arguments, but got 1



=== TEST 7: sends strings, numbers, nil, booleans and nested arrays of strings and numbers
--- config
    location /t {
        content_by_lua_block {
            ngx.say(echoed(2, "ab"))
            ngx.say(echoed(4, 10.5))
            ngx.say(echoed(3, nil))
            ngx.say(echoed(4, true))
            ngx.say(echoed(5, false))
            ngx.say(echoed(12, { "a", 1, { 2.5, { "b" }, {} }, "\0\r\n", 1e2 }))
            ngx.say(echoed(0, {}))
            ngx.say(echoed(0, ""))
        }
    }
--- response_body eval
"2 ab\n4 10.5\n3 nil\n4 true\n5 false\n12 a12.5b\0\r\n100\n0 \n0 \n"



=== TEST 8: what send refuses
--- config
    location /t {
        content_by_lua_block {
            local sock = here()
            local function refused(...)
                local ok, err = pcall(sock.send, ...)
                ngx.say((tostring(err):gsub("'[^']*'", "F")))
            end
            refused(sock)
            refused(sock, "a", "b")
            refused(sock, print)
            refused(sock, ngx.null)
            refused(sock, { "a", nil, "c" })
            refused(sock, { true })
            refused(sock, { ngx.null })
            refused(sock, { { key = "value" } })
            refused(sock, { [1.5] = "a" })
            ngx.say(sock:send("still usable"))
        }
    }
--- response_body
expecting 2 arguments (including the object), but got 1
expecting 2 arguments (including the object), but got 3
bad argument #2 to F (string, number, boolean, nil, or array table expected, got function)
bad argument #2 to F (string, number, boolean, nil, or array table expected, got userdata)
bad argument #2 to F (bad data type nil found)
bad argument #2 to F (bad data type boolean found)
bad argument #2 to F (bad data type userdata found)
bad argument #2 to F (non-array table found)
bad argument #2 to F (non-array table found)
12



=== TEST 9: what receive, receiveany and receiveuntil refuse
--- config
    location /t {
        content_by_lua_block {
            local sock = here()
            local function refused(method, ...)
                local ok, err, more = pcall(sock[method], sock, ...)
                ngx.say((tostring(err):gsub("'[^']*'", "F")), more and " " .. more or "")
            end
            for _, pattern in ipairs { -1, "-1", 0/0, 1e20, "*x", "*line", "l", "", true, {} } do
                refused("receive", pattern)
            end
            refused("receive", nil)
            refused("receive", 1, 2)
            for _, most in ipairs { 0, -1, 0.5, "x", {} } do refused("receiveany", most) end
            refused("receiveany")
            refused("receiveany", nil)
            refused("receiveuntil")
            refused("receiveuntil", {})
            refused("receiveuntil", "")
            refused("receiveuntil", "a", 1)
            refused("receiveuntil", "a", { inclusive = 1 })
            local iterator = sock:receiveuntil("a")
            ngx.say(select(2, pcall(iterator, 1, 2)))
            ngx.say((select(2, pcall(iterator, "x")):gsub("'[^']*'", "F")))
        }
    }
--- response_body
bad argument #2 to F (bad pattern argument)
bad argument #2 to F (bad pattern argument)
bad argument #2 to F (bad pattern argument)
bad argument #2 to F (bad pattern argument)
bad argument #2 to F (bad pattern argument)
bad argument #2 to F (bad pattern argument: *line)
bad argument #2 to F (bad pattern argument: l)
bad argument #2 to F (bad pattern argument: )
bad argument #2 to F (bad pattern argument)
bad argument #2 to F (bad pattern argument)
bad argument #2 to F (bad pattern argument)
expecting 1 or 2 arguments (including the object), but got 3
bad argument #2 to F (bad max argument)
bad argument #2 to F (bad max argument)
bad argument #2 to F (bad max argument)
bad argument #2 to F (bad max argument)
bad argument #2 to F (bad max argument)
expecting 2 arguments (including the object), but got 1
bad argument #2 to F (bad max argument)
expecting 2 or 3 arguments (including the object), but got 1
bad argument #2 to F (string expected, got table)
nil pattern is empty
bad argument #3 to F (table expected, got number)
bad "inclusive" option value type: number
expecting 0 or 1 arguments, but seen 2
bad argument #1 to F (number expected, got string)



=== TEST 10: receiveany returns what there is, and keeps what is more than was asked for
--- config
    location /t {
        content_by_lua_block {
            local sock = hello()
            ngx.say(sock:receiveany(4))
            ngx.print(sock:receiveany(100))
            try(sock.receiveany, sock, 100)
        }
    }
--- response_body
hell
o
world
nil closed 



=== TEST 11: receiveuntil gives what is before a pattern, whole or in pieces
--- config
    location /t {
        content_by_lua_block {
            local sock = hello()
            local before = sock:receiveuntil("lo\nw")
            ngx.say(before())
            local inclusive = sock:receiveuntil("\n", { inclusive = true })
            ngx.print(inclusive())
            try(inclusive)
            local pieces = hello():receiveuntil("world")
            try(pieces, 4)
            try(pieces, 4)
            try(pieces, 4)
        }
    }
--- response_body
hel
orld
nil closed 
hell
o

nil nil nil



=== TEST 12: a cosocket that is not connected
--- config
    location /t {
        content_by_lua_block {
            local closed = here()
            closed:close()
            for _, sock in ipairs { ngx.socket.tcp(), closed } do
                try(sock.send, sock, "x")
                try(sock.receive, sock)
                try(sock.receiveany, sock, 1)
                try(sock:receiveuntil("x"))
                try(sock.getreusedtimes, sock)
                try(sock.setkeepalive, sock)
                try(sock.close, sock)
            end
        }
    }
--- response_body
nil closed
nil closed
nil closed
nil closed
nil closed
nil closed
nil closed
nil closed
nil closed
nil closed
nil closed
nil closed
nil closed
nil closed
--- error_log
attempt to send data on a closed socket: u:
attempt to receive data on a closed socket: u:



=== TEST 13: lua_socket_log_errors off
--- config
    lua_socket_log_errors off;
    location /t {
        content_by_lua_block {
            local sock = ngx.socket.tcp()
            try(sock.send, sock, "x")
            try(sock.receive, sock)
            try(sock.connect, sock, "127.0.0.1", 1)
            sock:settimeout(1)
            sock:connect("127.0.0.1", $TEST_NGINX_SILENT_PORT)
            try(sock.receive, sock)
        }
    }
--- response_body
nil closed
nil closed
nil connection refused
nil timeout 
--- no_error_log
[error]



=== TEST 14: a read that takes too long gives what there is, and the next one goes on
--- config
    location /t {
        content_by_lua_block {
            local sock = here()
            sock:send("GET /slow HTTP/1.0\r\n\r\n")
            repeat local line = sock:receive() until line == ""
            sock:settimeout(1)
            local data, err, partial = sock:receive(10)
            ngx.say(tostring(data), " ", err, " ", #partial < 10)
            sock:settimeout(10000)
            ngx.say(partial .. sock:receive("*a"))
        }
    }
    location = /slow {
        content_by_lua_block {
            ngx.send_headers()
            ngx.print("12345")
            ngx.flush(true)
            ngx.sleep(0.1)
            ngx.print("67890")
        }
    }
--- response_body
nil timeout true
1234567890
--- error_log
lua tcp socket read timed out



=== TEST 15: a connection or a write that takes too long
--- config
    lua_socket_connect_timeout 50ms;
    lua_socket_send_timeout 50ms;
    location /t {
        content_by_lua_block {
            local sock = ngx.socket.tcp()
            try(sock.connect, sock, "127.0.0.1", $TEST_NGINX_FULL_PORT)
            try(sock.receive, sock)
            sock:settimeouts(20, 30, 40)
            try(sock.connect, sock, "127.0.0.1", $TEST_NGINX_FULL_PORT)
            assert(sock:connect("127.0.0.1", $TEST_NGINX_SILENT_PORT))
            try(sock.send, sock, ("x"):rep(20000000))
            try(sock.send, sock, "x")
            try(sock.close, sock)
        }
    }
--- response_body
nil timeout
nil closed
nil timeout
nil timeout
nil closed
1
--- error_log eval
["lua tcp socket connect timed out, when connecting to 127.0.0.1:$ENV{TEST_NGINX_FULL_PORT}",
"lua tcp socket write timed out"]



=== TEST 16: timeouts
--- config
    location /t {
        content_by_lua_block {
            local sock = ngx.socket.tcp()
            for _, value in ipairs { 0, 1.5, "12", "x", true, 2 ^ 31 - 1 } do try(sock.settimeout, sock, value) end
            try(sock.settimeout, sock, nil)
            try(sock.settimeout, sock, -1)
            try(sock.settimeout, sock, 2 ^ 31)
            try(sock.settimeout, sock)
            try(sock.settimeouts, sock, nil, nil, nil)
            try(sock.settimeouts, sock, 1, -1, 1)
            try(sock.settimeouts, sock, 1, 1)
        }
    }
--- response_body
nothing
nothing
nothing
nothing
nothing
nothing
nothing
raised: bad timeout value
raised: bad timeout value
raised: ngx.socket settimeout: expecting 2 arguments (including the object) but seen 1
nothing
raised: bad timeout value
raised: ngx.socket settimeout: expecting 4 arguments (including the object) but seen 3



=== TEST 17: one light thread reads while another one writes
--- config
    location /t {
        content_by_lua_block {
            local sock = here()
            local reader = ngx.thread.spawn(function()
                repeat local line = sock:receive() until line == ""
                return #sock:receive("*a")
            end)
            sock:send("POST /echo HTTP/1.0\r\nContent-Length: 5000000\r\n\r\n")
            for _ = 1, 50 do sock:send(("x"):rep(100000)) end
            ngx.say(ngx.thread.wait(reader))
        }
    }
--- response_body
true5000000



=== TEST 18: what another light thread waits for is busy
--- config
    location /t {
        content_by_lua_block {
            local sock = ngx.socket.tcp()
            local function all(what)
                ngx.say(what)
                try(sock.connect, sock, "127.0.0.1", 80)
                try(sock.receive, sock)
                try(sock:receiveuntil("x"))
                try(sock.receiveany, sock, 1)
                try(sock.setkeepalive, sock)
                try(sock.close, sock)
            end
            local connecting = ngx.thread.spawn(function() sock:connect("127.0.0.1", $TEST_NGINX_FULL_PORT) end)
            all("connecting")
            try(sock.send, sock, "x")
            ngx.thread.kill(connecting)
            sock:connect("127.0.0.1", $TEST_NGINX_SILENT_PORT)
            local reading = ngx.thread.spawn(function() sock:receive() end)
            all("reading")
            try(sock.send, sock, "x")
            ngx.thread.kill(reading)
            sock:connect("127.0.0.1", $TEST_NGINX_SILENT_PORT)
            local writing = ngx.thread.spawn(function() sock:send(("x"):rep(20000000)) end)
            ngx.say("writing")
            try(sock.send, sock, "x")
            try(sock.connect, sock, "127.0.0.1", 80)
            try(sock.setkeepalive, sock)
            try(sock.close, sock)
            ngx.thread.kill(writing)
        }
    }
--- response_body
connecting
nil socket busy connecting
nil socket busy connecting
nil socket busy connecting
nil socket busy connecting
nil socket busy connecting
nil socket busy connecting
nil socket busy connecting
reading
nil socket busy reading
nil socket busy reading
nil socket busy reading
nil socket busy reading
nil socket busy reading
nil socket busy reading
1
writing
nil socket busy writing
nil socket busy writing
nil socket busy writing
nil socket busy writing



=== TEST 19: killing a light thread closes what it was waiting for
--- config
    location /t {
        content_by_lua_block {
            local sock = ngx.socket.tcp()
            for _, begin in ipairs {
                function() sock:connect("127.0.0.1", $TEST_NGINX_FULL_PORT) end,
                function() sock:connect("127.0.0.1", $TEST_NGINX_SILENT_PORT) sock:receive() end,
                function() sock:connect("127.0.0.1", $TEST_NGINX_SILENT_PORT) sock:send(("x"):rep(20000000)) end,
            } do
                local thread = ngx.thread.spawn(begin)
                ngx.sleep(0.01)
                ngx.thread.kill(thread)
                try(sock.send, sock, "x")
                try(sock.receive, sock)
                try(sock.close, sock)
            end
            ngx.say(sock:connect("127.0.0.1", $TEST_NGINX_SILENT_PORT))
        }
    }
--- response_body
nil closed
nil closed
nil closed
nil closed
nil closed
nil closed
nil closed
nil closed
nil closed
1



=== TEST 20: connecting a connected one closes the former connection
--- config
    lua_check_client_abort on;
    location /t {
        content_by_lua_block {
            local sock = here()
            sock:send("GET /gone HTTP/1.0\r\n\r\n")
            ngx.say(sock:receive())
            ngx.say(sock:connect("127.0.0.1", ngx.var.server_port))
            sock:send("GET /hello HTTP/1.0\r\n\r\n")
            repeat local line = sock:receive() until line == ""
            ngx.say(sock:receive())
            while not package.loaded.gone do ngx.sleep(0.01) end
            ngx.say("gone")
        }
    }
    location /gone {
        content_by_lua_block {
            package.loaded.gone = nil
            ngx.on_abort(function() package.loaded.gone = true end)
            ngx.say("here")
            ngx.flush(true)
            ngx.sleep(10)
        }
    }
--- response_body
HTTP/1.1 200 OK
1
hello
gone



=== TEST 21: a request's end closes its connections, whatever Lua still holds
--- config
    lua_check_client_abort on;
    location /t {
        content_by_lua_block {
            local function get(path)
                local sock = here()
                sock:send("GET " .. path .. " HTTP/1.0\r\n\r\n")
                repeat local line = sock:receive() until line == ""
                return sock:receive("*a")
            end
            ngx.print(get("/keeper"))
            while not package.loaded.gone do ngx.sleep(0.01) end
            local kept = package.loaded.kept
            try(kept.send, kept, "x")
            try(kept.receive, kept)
            try(kept.connect, kept, "127.0.0.1", ngx.var.server_port)
            try(kept.send, kept, "x")
        }
    }
    location /keeper {
        content_by_lua_block {
            package.loaded.kept = here()
            package.loaded.kept:send("GET /gone HTTP/1.0\r\n\r\n")
            package.loaded.kept:receive()
            ngx.say("kept")
        }
    }
    location /gone {
        content_by_lua_block {
            package.loaded.gone = nil
            ngx.on_abort(function() package.loaded.gone = true end)
            ngx.say("here")
            ngx.flush(true)
            ngx.sleep(10)
        }
    }
--- response_body
kept
nil closed
nil closed
raised: bad request
nil closed



=== TEST 22: another request must not use it
--- config
    location /t {
        content_by_lua_block {
            package.loaded.other = here()
            local sock = here()
            sock:send("GET /other HTTP/1.0\r\n\r\n")
            repeat local line = sock:receive() until line == ""
            ngx.print(sock:receive("*a"))
            ngx.say(package.loaded.other:send("x"))
        }
    }
    location /other {
        content_by_lua_block {
            local sock = package.loaded.other
            for _, call in ipairs {
                function() local ok = sock:connect("127.0.0.1", 80) end,
                function() local ok = sock:send("x") end,
                function() local ok = sock:receive() end,
                function() local ok = sock:receiveany(1) end,
                function() local ok = sock:receiveuntil("x")() end,
                function() local ok = sock:setkeepalive() end,
                function() local ok = sock:close() end,
            } do
                local ok, err = pcall(call)
                ngx.say((tostring(err):gsub("^.-(nginx.conf):%d+%)", "%1")))
            end
        }
    }
--- response_body
nginx.conf:4: bad request
nginx.conf:5: bad request
nginx.conf:6: bad request
nginx.conf:7: bad request
nginx.conf:8: bad request
nginx.conf:9: bad request
nginx.conf:10: bad request
1



=== TEST 23: bind
--- config
    location /t {
        content_by_lua_block {
            local sock = ngx.socket.tcp()
            for _, address in ipairs { "", "x", "127.0.0.1:80", "[::1]", "unix:/tmp/x", 12, "127.0.0.7\0" } do
                try(sock.bind, sock, address)
            end
            try(sock.bind, sock, "127.0.0.7")
            sock:connect("127.0.0.1", ngx.var.server_port)
            sock:send("GET /from HTTP/1.0\r\n\r\n")
            repeat local line = sock:receive() until line == ""
            ngx.say(sock:receive("*a"))
            try(sock.bind, sock, "::1")
            try(sock.connect, sock, "127.0.0.1", ngx.var.server_port)
            try(sock.bind, sock)
            try(sock.bind, sock, "127.0.0.1", 1)
        }
    }
    location /from { return 200 $remote_addr; }
--- response_body
nil bad address
nil bad address
nil bad address
nil bad address
nil bad address
nil bad address
nil bad address
true
127.0.0.7
true
nil address family not supported by protocol
raised: expecting 2 arguments, but got 1
raised: expecting 2 arguments, but got 3



=== TEST 24: options of the connection
--- config
    location /t {
        content_by_lua_block {
            local sock = ngx.socket.tcp()
            ngx.say(select(2, pcall(sock.getoption, sock, "keepalive")))
            sock:connect("127.0.0.1", ngx.var.server_port)
            for _, option in ipairs { "keepalive", "reuseaddr", "tcp-nodelay" } do
                try(sock.setoption, sock, option, true)
                ngx.say(sock:getoption(option))
                try(sock.setoption, sock, option, 0)
                ngx.say(sock:getoption(option))
            end
            for _, option in ipairs { "sndbuf", "rcvbuf" } do
                try(sock.setoption, sock, option, 8192)
                ngx.say(sock:getoption(option) >= 8192)
            end
            try(sock.setoption, sock)
            try(sock.getoption, sock)
            try(sock.setoption, sock, "keepalive")
            try(sock.setoption, sock, "linger", 1)
            try(sock.getoption, sock, "linger")
            ngx.say(pcall(sock.setoption, sock, "keepalive", "yes") == false)
            sock:close()
            try(sock.setoption, sock, "keepalive", 1)
            try(sock.getoption, sock, "keepalive")
        }
    }
--- response_body_like chomp
socket is never created nor connected
(true
1
true
0
){3}(true
true
){2}nil missing the "option" argument
nil missing the "option" argument
nil missing the "value" argument
nil unsupported option linger
nil unsupported option linger
true
nil closed
nil closed
$



=== TEST 25: small pieces are sent at once where tcp_nodelay says so
--- config
    location /t {
        content_by_lua_block {
            local sock = here()
            sock:send("x")
            ngx.say(sock:getoption("tcp-nodelay"))
            ngx.print(ngx.location.capture("/off").body)
        }
    }
    location /off {
        tcp_nodelay off;
        content_by_lua_block {
            local sock = here()
            sock:send("x")
            ngx.say(sock:getoption("tcp-nodelay"))
        }
    }
--- response_body
1
0



=== TEST 26: in the phases in which Lua may wait
--- config
    location /t {
        rewrite_by_lua_block { ngx.ctx.sock = hello() ngx.ctx.first = ngx.ctx.sock:receive() }
        access_by_lua_block { ngx.ctx.second = ngx.ctx.sock:receive() }
        content_by_lua_block { ngx.say(ngx.ctx.first, " ", ngx.ctx.second) }
    }
--- response_body
hello world



=== TEST 27: in the other phases it is disabled
--- config
    location /t {
        set_by_lua_block $set { return (select(2, pcall(ngx.socket.tcp))) }
        content_by_lua_block {
            ngx.ctx.sock = here()
            ngx.say(ngx.var.set)
        }
        header_filter_by_lua_block {
            ngx.log(ngx.WARN, "new: ", select(2, pcall(ngx.socket.tcp)))
            ngx.log(ngx.WARN, "old: ", select(2, pcall(function() local ok = ngx.ctx.sock:receive() end)))
        }
    }
--- response_body
API disabled in the context of set_by_lua*
--- error_log eval
["new: API disabled in the context of header_filter_by_lua*", qr/old: .*API disabled in the context of header_filter_by_lua/]



=== TEST 28: the directives of the location, inherited
--- http_config
    lua_socket_read_timeout 10s;
    lua_socket_buffer_size 1;
--- config
    location /t {
        lua_socket_read_timeout 1ms;
        content_by_lua_block {
            local sock = ngx.socket.connect("127.0.0.1", $TEST_NGINX_SILENT_PORT)
            try(sock.receive, sock)
            ngx.print(ngx.location.capture("/inherits").body)
        }
    }
    location /inherits {
        content_by_lua_block {
            local sock = hello()
            ngx.say(sock:receive(8) == "hello\nwo")
        }
    }
--- response_body
nil timeout 
true



=== TEST 29: many cosockets of one request
--- config
    location /t {
        content_by_lua_block {
            for i = 1, 30 do
                local sock = hello()
                assert(sock:receive() == "hello")
                if i > 20 then sock:close() end
            end
            ngx.say("done")
        }
    }
--- response_body
done
