# setkeepalive and what `connect` takes out of the pools.
use lib 't/lib';
use Test::Nginx::Socket 'no_plan';
use HotLua::Lines;

my $peer = HotLua::Lines->start;
$ENV{TEST_NGINX_LINES_PORT} = $peer->{port};
$ENV{TEST_NGINX_LINES_PATH} = $peer->{path};

add_block_preprocessor(sub {
    my $block = shift;
    $block->set_value(request => 'GET /t') if !defined $block->request && !defined $block->pipelined_requests;
    $block->set_value(http_config => ($block->http_config // '') . <<'CONF');
    init_by_lua_block {
        -- A connection of a pool, or why there is none.
        function connect(options)
            local sock = ngx.socket.tcp()
            sock:settimeout(2000)
            local ok, err = sock:connect("127.0.0.1", $TEST_NGINX_LINES_PORT, options)
            if not ok then return nil, err end
            return sock
        end
        -- What the peer answers to a line.
        function ask(sock, line)
            assert(sock:send((line or "hello") .. "\n"))
            return sock:receive()
        end
        -- The number of the connection at the peer.
        function number(sock)
            return tonumber(ask(sock):match("^%d+"))
        end
        function say(...)
            local parts = {}
            for i = 1, select("#", ...) do parts[i] = tostring((select(i, ...))) end
            ngx.say(table.concat(parts, " "))
        end
        -- How many connections of others the peer has.
        function peers_open()
            local sock = ngx.socket.tcp()
            sock:connect("unix:$TEST_NGINX_LINES_PATH")
            local count = tonumber(ask(sock, "open")) - 1
            sock:close()
            return count
        end
        function wait_until(what, call)
            for _ = 1, 500 do
                if call() then return end
                ngx.sleep(0.01)
            end
            error("waited in vain until " .. what)
        end
    }
CONF
});

run_tests();

__DATA__

=== TEST 1: a connection is used again, and counts how often
--- config
    location /t {
        content_by_lua_block {
            local first
            for i = 1, 3 do
                local sock = connect()
                first = first or number(sock)
                say(number(sock) == first, sock:getreusedtimes(), sock:setkeepalive())
            end
        }
    }
--- response_body
true 0 1
true 1 1
true 2 1
--- no_error_log
[error]



=== TEST 2: the socket is closed afterwards, and can be connected anew
--- config
    location /t {
        content_by_lua_block {
            local sock = connect()
            say(sock:setkeepalive())
            say(sock:setkeepalive())
            say(sock:getreusedtimes())
            say(sock:receive())
            say(sock:close())
            say(sock:connect("127.0.0.1", $TEST_NGINX_LINES_PORT))
            say(sock:getreusedtimes())
        }
    }
--- response_body
1
nil closed
nil closed
nil closed
nil closed
1
1
--- error_log
attempt to receive data on a closed socket



=== TEST 3: requests share pools, also over the phases
--- config
    location /t {
        rewrite_by_lua_block { local sock = connect() ngx.ctx.first = number(sock) sock:setkeepalive() }
        access_by_lua_block { local sock = connect() ngx.ctx.second = number(sock) sock:setkeepalive() }
        content_by_lua_block {
            local sock = connect()
            local kept = package.loaded.kept or ngx.ctx.first
            package.loaded.kept = kept
            say(number(sock) == kept, ngx.ctx.first == kept, ngx.ctx.second == kept)
            sock:setkeepalive()
        }
    }
--- pipelined_requests eval
["GET /t", "GET /t"]
--- response_body eval
["true true true\n", "true true true\n"]



=== TEST 4: pools by name: host and port, a path, what the options say
--- config
    location /t {
        content_by_lua_block {
            local named = connect { pool = "mine" }
            local other = connect()
            local unix = ngx.socket.tcp()
            unix:connect("unix:$TEST_NGINX_LINES_PATH")
            local of = { named = number(named), other = number(other), unix = number(unix) }
            named:setkeepalive() other:setkeepalive() unix:setkeepalive()
            say(number(connect { pool = "mine" }) == of.named)
            say(number(connect {}) == of.other)
            local sock = ngx.socket.tcp()
            sock:connect("unix:$TEST_NGINX_LINES_PATH")
            say(number(sock) == of.unix)
            sock:setkeepalive()
            -- A path and options, without a port.
            local sock = ngx.socket.tcp()
            sock:connect("unix:$TEST_NGINX_LINES_PATH", { pool = 12 })
            sock:setkeepalive()
            sock:connect("127.0.0.1", $TEST_NGINX_LINES_PORT, { pool = "12" })
            say(sock:getreusedtimes())
        }
    }
--- response_body
true
true
true
1



=== TEST 5: the one that has rested for the shortest time comes out first, the one for the longest goes for another
--- config
    location /t {
        content_by_lua_block {
            local socks, numbers = {}, {}
            for i = 1, 3 do
                socks[i] = connect { pool = "two" }
                numbers[number(socks[i])] = i
            end
            for i = 1, 3 do socks[i]:setkeepalive(10000, 2) end
            for i = 1, 3 do
                local sock = connect { pool = "two" }
                say(numbers[number(sock)], sock:getreusedtimes())
            end
        }
    }
--- response_body
3 1
2 1
nil 0



=== TEST 6: the directive's size, where Lua gives none
--- config
    location /t {
        lua_socket_pool_size 1;
        content_by_lua_block {
            local first, second = connect(), connect()
            first:setkeepalive() second:setkeepalive()
            say(connect():getreusedtimes(), connect():getreusedtimes())
        }
    }
--- response_body
1 0



=== TEST 7: what was not read, and what the peer has said since
--- config
    location /t {
        content_by_lua_block {
            local sock = connect()
            sock:send("more\n")
            say(sock:receive())
            wait_until("all is read", function() return sock:setkeepalive() == nil end)
            say(sock:setkeepalive())
            say(sock:receive())
            say(sock:setkeepalive())

            local sock = connect { pool = "dubious" }
            sock:send("hello\n")
            -- Once the other connection was answered, so was this one.
            peers_open()
            say(sock:setkeepalive())
            say(sock:close())
        }
    }
--- response_body
one
nil unread data in buffer
two
1
nil connection in dubious state
nil closed



=== TEST 8: a connection that the peer has closed
--- config
    location /t {
        content_by_lua_block {
            local sock = connect()
            sock:send("close\n")
            say(sock:receive())
            say(sock:setkeepalive())

            local sock = connect { pool = "gone" }
            sock:send("close\n")
            peers_open()
            say(sock:setkeepalive())
        }
    }
--- response_body
nil closed 
nil closed
nil closed



=== TEST 9: one that the peer closes while it rests is not given out, nor one that says what nobody has asked for
--- config
    location /t {
        content_by_lua_block {
            for _, line in ipairs { "shut", "tell" } do
                local sock = connect { pool = line }
                local rests = number(sock)
                say(sock:setkeepalive())
                -- The event loop does not run meanwhile, so the pool has not heard of it.
                local perl = io.popen([[perl -MIO::Socket::INET -e '
                    $s = IO::Socket::INET->new("127.0.0.1:$TEST_NGINX_LINES_PORT");
                    $s->print("@ARGV\n"); $s->flush; print scalar readline $s' ]] .. line .. " " .. rests)
                say(perl:read("*l"))
                say(connect { pool = line }:getreusedtimes())
            end
        }
    }
--- response_body
1
done
0
1
done
0



=== TEST 10: and is closed as soon as the event loop hears of it
--- config
    location /t {
        content_by_lua_block {
            for _, line in ipairs { "shut", "tell" } do
                local before = peers_open()
                local sock, other = connect(), connect { pool = "other" }
                local rests = number(sock)
                say(sock:setkeepalive(0))
                say(ask(other, line .. " " .. rests))
                wait_until("it is closed", function() return peers_open() == before + 1 end)
                other:close()
            end
        }
    }
--- response_body
1
done
1
done



=== TEST 11: for how long it may rest
--- config
    lua_socket_keepalive_timeout 1ms;
    location /t {
        content_by_lua_block {
            local before = peers_open()
            local sock = connect { pool = "directive" }
            say(sock:setkeepalive())
            wait_until("it is closed", function() return peers_open() == before end)
            local sock = connect { pool = "argument" }
            say(sock:setkeepalive(1))
            wait_until("it is closed", function() return peers_open() == before end)
            local sock = connect { pool = "ever" }
            say(sock:setkeepalive(0))
            ngx.sleep(0.05)
            say(peers_open() - before, connect { pool = "ever" }:getreusedtimes())
        }
    }
--- response_body
1
1
1
1 1



=== TEST 12: calls that are wrong
--- config
    location /t {
        content_by_lua_block {
            local function try(call)
                local ok, err = pcall(call)
                say(ok, (tostring(err):gsub("^.-:%d+: ", "")))
            end
            local sock = connect()
            try(function() sock:setkeepalive(1, 2, 3) end)
            try(function() sock:setkeepalive("x") end)
            try(function() sock:setkeepalive({}) end)
            try(function() sock.setkeepalive(1) end)
            try(function() sock:setkeepalive(100, "x") end)
            try(function() sock:setkeepalive(100, 0) end)
            try(function() sock:getreusedtimes(1) end)
            try(function() ngx.socket.tcp():connect("127.0.0.1", 80, { pool = true }) end)
            try(function() ngx.socket.tcp():connect("127.0.0.1", 80, { pool_size = 0 }) end)
            try(function() ngx.socket.tcp():connect("127.0.0.1", 80, { pool_size = "x" }) end)
            try(function() ngx.socket.tcp():connect("127.0.0.1", 80, { backlog = -1 }) end)
            say(ngx.socket.tcp():setkeepalive())
            say(sock.setkeepalive({}))
            say(sock:setkeepalive(nil, nil))
            -- A pool that is there keeps its size, whatever is said.
            say(connect():setkeepalive(-1, 0))
            say(connect():setkeepalive(1e300, 1e300))
        }
    }
--- response_body
false expecting 1 to 3 arguments (including the object), but got 4
false bad argument #1 to 'setkeepalive' (number expected, got string)
false bad argument #1 to 'setkeepalive' (number expected, got table)
false bad argument #1 to 'setkeepalive' (table expected, got number)
false bad argument #2 to 'setkeepalive' (number expected, got string)
false bad argument #2 to 'setkeepalive' (bad "pool_size" option value: 0)
false expecting 1 argument (including the object), but got 2
false bad argument #3 to 'connect' (bad "pool" option type: boolean)
false bad argument #3 to 'connect' (bad "pool_size" option value: 0)
false bad argument #3 to 'connect' (bad "pool_size" option type: string)
false bad argument #3 to 'connect' (bad "backlog" option value: -1)
nil closed
nil closed
1
1
1



=== TEST 13: a socket that something waits for is not put away
--- config
    location /t {
        content_by_lua_block {
            local sock = connect()
            local reader = ngx.thread.spawn(function() return sock:receive() end)
            say(sock:setkeepalive())
            sock:send("hello\n")
            ngx.thread.wait(reader)
            say(sock:setkeepalive())
        }
    }
--- response_body
nil socket busy reading
1



=== TEST 14: with a backlog no more connections than the pool's size are open; the others wait for one
--- config
    location /t {
        content_by_lua_block {
            local options = { pool = "few", pool_size = 2, backlog = 1 }
            local first, second = connect(options), connect(options)
            local of_first = number(first)
            local third = ngx.thread.spawn(function()
                local sock = connect(options)
                return number(sock) == of_first, sock:getreusedtimes()
            end)
            say(connect(options))
            say(first:setkeepalive())
            say(select(2, ngx.thread.wait(third)))
            say(second:getreusedtimes())
        }
    }
--- response_body
nil too many waiting connect operations
1
true 1
0



=== TEST 15: one that is closed lets the next one open its own, and so does one that could not be made
--- config
    location /t {
        content_by_lua_block {
            local options = { pool = "one", pool_size = 1, backlog = 3 }
            local order = {}
            local function queued(name, port)
                return ngx.thread.spawn(function()
                    local sock = ngx.socket.tcp()
                    local ok, err = sock:connect("127.0.0.1", port, options)
                    order[#order + 1] = name .. " " .. (ok and sock:getreusedtimes() or err)
                    if ok then sock:close() end
                end)
            end
            local first = connect(options)
            local threads = {
                queued("a", $TEST_NGINX_LINES_PORT), queued("b", $TEST_NGINX_RAND_PORT_1), queued("c", $TEST_NGINX_LINES_PORT),
            }
            first:close()
            for _, thread in ipairs(threads) do ngx.thread.wait(thread) end
            say(table.concat(order, ", "))
        }
    }
--- response_body
a 0, b connection refused, c 0



=== TEST 16: a request that ends gives its place to one of another
--- config
    location /t {
        content_by_lua_block {
            local waiting = ngx.thread.spawn(function()
                ngx.sleep(0)
                local sock = connect { pool = "ends", pool_size = 1, backlog = 1 }
                return sock:getreusedtimes()
            end)
            local body = ngx.location.capture("/holds").body
            say(body, select(2, ngx.thread.wait(waiting)))
        }
    }
    location /holds {
        content_by_lua_block {
            local sock = connect { pool = "ends", pool_size = 1, backlog = 1 }
            ngx.sleep(0.02)
            sock:close()
            ngx.print("held")
        }
    }
--- response_body
held 0



=== TEST 17: how long one waits in the queue, and what it may not wait for
--- config
    location /t {
        content_by_lua_block {
            local options = { pool = "slow", pool_size = 1, backlog = 2 }
            local first = connect(options)
            local sock = ngx.socket.tcp()
            sock:settimeouts(1, 1000, 1000)
            say(sock:connect("127.0.0.1", $TEST_NGINX_LINES_PORT, options))
            -- What the pool was made with holds for those who say nothing too.
            say(sock:connect("127.0.0.1", $TEST_NGINX_LINES_PORT, { pool = "slow" }))
            -- One that is killed leaves the queue.
            local killed = ngx.thread.spawn(function() connect(options) end)
            say(ngx.thread.kill(killed))
            local waiting = ngx.thread.spawn(function() return connect(options) ~= nil end)
            first:close()
            say(select(2, ngx.thread.wait(waiting)))
        }
    }
--- response_body
nil timeout
nil timeout
1
true
--- error_log
lua tcp socket queued connect timed out, when trying to connect to 127.0.0.1:



=== TEST 18: a pool that has nothing left is forgotten, with its size
--- config
    location /t {
        content_by_lua_block {
            local sock = connect { pool = "again", pool_size = 1, backlog = 0 }
            say(connect { pool = "again" })
            sock:close()
            local first, second = connect { pool = "again" }, connect { pool = "again" }
            first:setkeepalive(10000, 2)
            second:setkeepalive(10000, 2)
            say(connect { pool = "again" }:getreusedtimes(), connect { pool = "again" }:getreusedtimes())
        }
    }
--- response_body
nil too many waiting connect operations
1 1



=== TEST 19: a connection that a queued caller was given goes on to the next where that one is killed
--- config
    location /t {
        content_by_lua_block {
            local options = { pool = "chain", pool_size = 1, backlog = 2 }
            local first = connect(options)
            local killed = ngx.thread.spawn(function() connect(options) end)
            local waiting = ngx.thread.spawn(function() return connect(options) ~= nil end)
            first:close()
            -- It was woken, and has not run yet.
            say(ngx.thread.kill(killed))
            say(select(2, ngx.thread.wait(waiting)))
        }
    }
--- response_body
1
true
