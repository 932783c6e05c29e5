# Debian's lua-nginx-dns, unchanged, and nginx's own `resolver` for cosockets, against a real dnsmasq.
use Test::Nginx::Socket 'no_plan';

use HotLua::Server;

my $redis = HotLua::Server->redis;
my $dns = HotLua::Server->dns(
    'local=/test/',
    'host-record=host.test,127.0.0.1',
    'host-record=six.test,::1',
    'host-record=both.test,127.0.0.2,2001:db8::2',
    'address=/many.test/127.0.0.11', 'address=/many.test/127.0.0.12', 'address=/many.test/127.0.0.13',
    'cname=alias.test,host.test',
    'txt-record=text.test,hello,world',
    (map { "txt-record=large.test,number $_ " . 'x' x 150 } 1 .. 20),
    'mx-host=mail.test,host.test,10',
    'srv-host=_redis._tcp.test,host.test,6379,1,2',
    'ptr-record=9.0.0.127.in-addr.arpa,nine.test',
);
$ENV{TEST_NGINX_REDIS_PORT} = $redis->{port};
$ENV{TEST_NGINX_DNS_PORT} = $dns->{port};

add_block_preprocessor(sub {
    my ($block) = @_;
    $block->set_value(http_config => ($block->http_config // '') . <<'CONF');
    init_by_lua_block {
        local dns = require "nginx.dns.resolver"
        function resolver(options)
            options = options or {}
            options.nameservers = options.nameservers or { { "127.0.0.1", $TEST_NGINX_DNS_PORT } }
            return assert(dns:new(options))
        end
        function shown(answers, err)
            if not answers then return tostring(err) end
            if answers.errcode then return answers.errcode .. " " .. answers.errstr end
            local lines = {}
            for i, answer in ipairs(answers) do
                local value = answer.address or answer.cname or answer.exchange or answer.target or answer.ptrdname or answer.txt
                if type(value) == "table" then value = table.concat(value, "+") end
                lines[i] = answer.name .. " " .. answer.type .. " " .. value
            end
            table.sort(lines)
            return table.concat(lines, ", ")
        end
    }
CONF
    $block->set_value(no_error_log => '[error]') if !defined $block->error_log;
});

worker_connections(1024);
log_level('info');
no_long_string();
run_tests();

__DATA__

=== TEST 1: the types of records
--- config
    location = /t {
        content_by_lua_block {
            local dns = resolver()
            ngx.say(shown(dns:query("host.test")))
            ngx.say(shown(dns:query("many.test", { qtype = dns.TYPE_A })))
            ngx.say(shown(dns:query("six.test", { qtype = dns.TYPE_AAAA })))
            ngx.say(shown(dns:query("both.test", { qtype = dns.TYPE_AAAA })))
            ngx.say(shown(dns:query("alias.test")))
            ngx.say(shown(dns:query("text.test", { qtype = dns.TYPE_TXT })))
            ngx.say(shown(dns:query("mail.test", { qtype = dns.TYPE_MX })))
            ngx.say(shown(dns:query("_redis._tcp.test", { qtype = dns.TYPE_SRV })))
            ngx.say(shown(dns:reverse_query("127.0.0.9")))
        }
    }
--- request
GET /t
--- response_body
host.test 1 127.0.0.1
many.test 1 127.0.0.11, many.test 1 127.0.0.12, many.test 1 127.0.0.13
six.test 28 0:0:0:0:0:0:0:1
both.test 28 2001:db8:0:0:0:0:0:2
alias.test 5 host.test, host.test 1 127.0.0.1
text.test 16 hello+world
mail.test 15 host.test
_redis._tcp.test 33 host.test
9.0.0.127.in-addr.arpa 12 nine.test



=== TEST 2: names that are not there
--- config
    location = /t {
        content_by_lua_block {
            local dns = resolver()
            ngx.say(shown(dns:query("missing.test")))
            ngx.say(shown(dns:query("host.example")))
            ngx.say(#dns:query("host.test", { qtype = dns.TYPE_AAAA }))
            ngx.say(shown(dns:query(".bad")))
        }
    }
--- request
GET /t
--- response_body
3 name error
5 refused
0
bad name



=== TEST 3: over TCP, asked for or because the answer is too large
--- config
    location = /t {
        content_by_lua_block {
            local dns = resolver()
            ngx.say(shown(dns:tcp_query("host.test")))
            ngx.say(#dns:tcp_query("large.test", { qtype = dns.TYPE_TXT }))
            ngx.say(#dns:query("large.test", { qtype = dns.TYPE_TXT }))
            ngx.say(shown(dns:query("host.test")))
        }
    }
--- request
GET /t
--- response_body
host.test 1 127.0.0.1
20
20
host.test 1 127.0.0.1



=== TEST 4: a server that does not answer
--- config
    location = /t {
        content_by_lua_block {
            -- Nothing reads from this port but a socket of TCP.
            local dns = resolver { nameservers = { { "127.0.0.1", $TEST_NGINX_REDIS_PORT } }, timeout = 10, retrans = 2 }
            local answers, err = dns:query("host.test")
            ngx.say(answers, " ", (err:gsub("%d+$", "PORT")):match("failed to .* UDP server 127.0.0.1:%d+: (.*)"))
            local either = resolver {
                nameservers = { { "127.0.0.1", $TEST_NGINX_DNS_PORT }, { "127.0.0.1", $TEST_NGINX_DNS_PORT } }, timeout = 5000,
            }
            for _ = 1, 3 do ngx.say(shown(either:query("host.test"))) end
        }
    }
--- request
GET /t
--- response_body
nil connection refused
host.test 1 127.0.0.1
host.test 1 127.0.0.1
host.test 1 127.0.0.1
--- error_log
Connection refused



=== TEST 5: a hundred questions at once
--- config
    location = /t {
        content_by_lua_block {
            local threads, right = {}, 0
            for i = 1, 100 do
                threads[i] = ngx.thread.spawn(function()
                    local name = i % 2 == 0 and "host.test" or "six.test"
                    return shown(resolver():query(name, { qtype = i % 2 == 0 and 1 or 28 }))
                end)
            end
            for i = 1, 100 do
                local _, text = ngx.thread.wait(threads[i])
                if text == (i % 2 == 0 and "host.test 1 127.0.0.1" or "six.test 28 0:0:0:0:0:0:0:1") then right = right + 1 end
            end
            ngx.say(right)
        }
    }
--- request
GET /t
--- response_body
100



=== TEST 6: a cosocket finds a name by nginx's resolver
--- config
    resolver 127.0.0.1:$TEST_NGINX_DNS_PORT ipv6=off;
    location = /t {
        content_by_lua_block {
            for _, name in ipairs { "host.test", "alias.test", "HOST.TEST" } do
                local sock = ngx.socket.tcp()
                ngx.say(name, " ", sock:connect(name, $TEST_NGINX_REDIS_PORT))
                sock:send("PING\r\n")
                ngx.say(sock:receive())
                ngx.say(sock:setkeepalive())
            end
            local sock = ngx.socket.tcp()
            ngx.say(sock:connect("host.test", $TEST_NGINX_REDIS_PORT), " ", sock:getreusedtimes())
        }
    }
--- request
GET /t
--- response_body
host.test 1
+PONG
1
alias.test 1
+PONG
1
HOST.TEST 1
+PONG
1
1 1



=== TEST 7: a name that the resolver does not find
--- config
    resolver 127.0.0.1:$TEST_NGINX_DNS_PORT ipv6=off;
    location = /t {
        content_by_lua_block {
            local sock = ngx.socket.tcp()
            ngx.say(sock:connect("missing.test", $TEST_NGINX_REDIS_PORT))
            ngx.say(sock:connect("host.test", $TEST_NGINX_REDIS_PORT), " ", sock:send("PING\r\n"), " ", sock:receive())
            local udp = ngx.socket.udp()
            ngx.say(udp:setpeername("missing.test", 53))
        }
    }
--- request
GET /t
--- response_body
nilmissing.test could not be resolved (3: Host not found)
1 6 +PONG
nilmissing.test could not be resolved (3: Host not found)



=== TEST 8: a UDP socket finds a name by nginx's resolver
--- config
    resolver 127.0.0.1:$TEST_NGINX_DNS_PORT ipv6=off;
    location = /t {
        content_by_lua_block {
            ngx.say(shown(resolver({ nameservers = { { "host.test", $TEST_NGINX_DNS_PORT } } }):query("host.test")))
        }
    }
--- request
GET /t
--- response_body
host.test 1 127.0.0.1



=== TEST 9: many look-ups at once, and after their client is gone
--- config
    resolver 127.0.0.1:$TEST_NGINX_DNS_PORT ipv6=off valid=1s;
    location = /t {
        content_by_lua_block {
            local threads, connected = {}, 0
            for i = 1, 50 do
                threads[i] = ngx.thread.spawn(function()
                    local sock = ngx.socket.tcp()
                    local ok = sock:connect(i % 2 == 0 and "host.test" or "many" .. i .. ".host.test", $TEST_NGINX_REDIS_PORT)
                    sock:close()
                    return ok
                end)
            end
            -- Every second one is killed while it asks.
            for i = 1, 49, 2 do ngx.thread.kill(threads[i]) end
            for i = 2, 50, 2 do if select(2, ngx.thread.wait(threads[i])) == 1 then connected = connected + 1 end end
            ngx.say(connected)
        }
    }
--- request
GET /t
--- response_body
25
