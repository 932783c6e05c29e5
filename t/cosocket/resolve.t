# Host names of sockets, resolved by the location's `resolver`.
use lib 't/lib';
use Test::Nginx::Socket 'no_plan';
use HotLua::Datagrams;
use HotLua::Server;

my $peer = HotLua::Datagrams->start;
my $dns = HotLua::Server->dns('local=/test/', 'host-record=peer.test,127.0.0.1', 'host-record=six.test,::1',
    map({"host-record=many.test,127.0.0.$_"} 1 .. 8));
$ENV{TEST_NGINX_UDP_PORT} = $peer->{port};
$ENV{TEST_NGINX_DNS_PORT} = $dns->{port};

run_tests();

__DATA__

=== TEST 1: a name has an address; the second time nginx knows it
--- config
    resolver 127.0.0.1:$TEST_NGINX_DNS_PORT;
    location /t {
        content_by_lua_block {
            for i = 1, 2 do
                local sock = ngx.socket.udp()
                ngx.say(sock:setpeername("peer.test", $TEST_NGINX_UDP_PORT))
                sock:send("hello")
                ngx.say(sock:receive())
            end
        }
    }
--- request
GET /t
--- response_body
1
5:hello
1
5:hello
--- no_error_log
[error]



=== TEST 2: one that has none
--- config
    resolver 127.0.0.1:$TEST_NGINX_DNS_PORT;
    location /t {
        content_by_lua_block {
            local sock = ngx.socket.udp()
            for _, name in ipairs { "none.test", "none.test", "a..test" } do
                local ok, err = sock:setpeername(name, 53)
                ngx.say(tostring(ok), " ", err)
            end
            ngx.say(sock:send("x"))
            ngx.say(sock:setpeername("peer.test", 53))
        }
    }
--- request
GET /t
--- response_body
nil none.test could not be resolved (3: Host not found)
nil none.test could not be resolved (3: Host not found)
nil a..test could not be resolved (3: Host not found)
nilclosed
1



=== TEST 3: a resolver that does not answer, for as long as resolver_timeout says
--- config
    resolver 127.0.0.1:$TEST_NGINX_RAND_PORT_1;
    resolver_timeout 1ms;
    location /t {
        content_by_lua_block {
            local ok, err = ngx.socket.udp():setpeername("peer.test", 53)
            ngx.say(tostring(ok), " ", err)
        }
    }
--- request
GET /t
--- response_body
nil peer.test could not be resolved (110: Operation timed out)



=== TEST 4: one of several addresses, by chance
--- config
    resolver 127.0.0.1:$TEST_NGINX_DNS_PORT;
    location /t {
        content_by_lua_block {
            -- The peer listens at the first address only.
            local answered, refused = 0, 0
            for i = 1, 200 do
                local sock = ngx.socket.udp()
                assert(sock:setpeername("many.test", $TEST_NGINX_UDP_PORT))
                sock:send("x")
                local data, err = sock:receive()
                sock:close()
                if data then answered = answered + 1 elseif err == "connection refused" then refused = refused + 1 end
            end
            ngx.say(answered > 0, " ", refused > answered, " ", answered + refused)
        }
    }
--- request
GET /t
--- response_body
true true 200



=== TEST 5: many wait for one name, and one of them is killed
--- config
    resolver 127.0.0.1:$TEST_NGINX_DNS_PORT valid=1s;
    location /t {
        content_by_lua_block {
            local function resolve() return ngx.socket.udp():setpeername("peer.test", 53) end
            local threads = {}
            for i = 1, 10 do threads[i] = ngx.thread.spawn(resolve) end
            ngx.say(ngx.thread.kill(threads[4]))
            local resolved = 0
            for i = 1, 10 do
                if i ~= 4 then resolved = resolved + select(2, ngx.thread.wait(threads[i])) end
            end
            ngx.say(resolved)
        }
    }
--- request
GET /t
--- response_body
1
9
--- no_error_log
[alert]



=== TEST 6: a request that ends while it waits for a name
--- config
    resolver 127.0.0.1:$TEST_NGINX_RAND_PORT_1;
    location /t {
        content_by_lua_block {
            for i = 1, 10 do
                ngx.thread.spawn(function() ngx.socket.udp():setpeername("name" .. i % 3 .. ".test", 53) end)
            end
            ngx.say("over")
            ngx.exit(200)
        }
    }
--- pipelined_requests eval
["GET /t", "GET /t", "GET /t"]
--- response_body eval
["over\n", "over\n", "over\n"]
--- no_error_log
[alert]



=== TEST 7: a socket is busy while its peer is looked up
--- config
    resolver 127.0.0.1:$TEST_NGINX_DNS_PORT;
    location /t {
        content_by_lua_block {
            local sock = ngx.socket.udp()
            local resolving = ngx.thread.spawn(function() return sock:setpeername("busy.peer.test", 53) end)
            ngx.say(sock:send("x"))
            ngx.say(sock:setpeername("127.0.0.1", 53))
            local _, ok, err = ngx.thread.wait(resolving)
            ngx.say(tostring(ok), " ", err)
            ngx.say(sock:setpeername("127.0.0.1", 53))
        }
    }
--- request
GET /t
--- response_body
nilsocket busy
nilsocket busy
nil busy.peer.test could not be resolved (3: Host not found)
1
