# Debian's lua-nginx-memcached, unchanged, against a real memcached.
use Test::Nginx::Socket 'no_plan';

use HotLua::Server;

my $memcached = HotLua::Server->memcached;
$ENV{TEST_NGINX_MEMC_PORT} = $memcached->{port};

add_block_preprocessor(sub {
    my ($block) = @_;
    $block->set_value(http_config => ($block->http_config // '') . <<'CONF');
    init_by_lua_block {
        local memcached = require "nginx.memcached"
        function connected(options)
            local client = assert(memcached:new(options))
            client:set_timeout(5000)
            assert(client:connect("127.0.0.1", $TEST_NGINX_MEMC_PORT))
            return client
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

=== TEST 1: values and their flags
--- config
    location = /t {
        content_by_lua_block {
            local memc = connected()
            ngx.say("flush ", memc:flush_all())
            ngx.say("missing ", memc:get("dog"))
            ngx.say("set ", memc:set("dog", "bark", 0, 7))
            ngx.say("get ", memc:get("dog"))
            ngx.say("add ", memc:add("dog", "meow"))
            ngx.say("replace ", memc:replace("dog", "woof"), " ", memc:replace("cat", "meow"))
            ngx.say("append ", memc:append("dog", "!"), " prepend ", memc:prepend("dog", "?"))
            ngx.say("get ", memc:get("dog"))
            ngx.say("delete ", memc:delete("dog"))
            ngx.say("delete ", memc:delete("dog"))
            ngx.say("table ", memc:set("list", { "a", { "b", "c" }, "d" }), " ", memc:get("list"))
            ngx.say("version ", (memc:version():gsub("%d+", "N")))
            ngx.say("stats ", #memc:stats() > 20, " ", memc:stats("no such"))
        }
    }
--- request
GET /t
--- response_body
flush 1
missing nilnilnil
set 1
get bark7
add nilNOT_STORED
replace 1 nilNOT_STORED
append 1 prepend 1
get ?woof!0
delete 1
delete nilNOT_FOUND
table 1 abcd0
version N.N.N
stats true nilERROR



=== TEST 2: keys and values of any bytes and any size
--- config
    location = /t {
        content_by_lua_block {
            local memc = connected()
            for _, value in ipairs { "", "\r\n", "END\r\n", "a\0b", ("0123456789\r\n\0\255"):rep(30000), ("x"):rep(1000000) } do
                memc:set("a key\r\n\0", value)
                ngx.say(#value, " ", memc:get("a key\r\n\0") == value)
            end
            ngx.say(memc:set("large", ("x"):rep(2000000)))
            ngx.say(memc:get("large"))
        }
    }
--- request
GET /t
--- response_body
0 true
2 true
5 true
3 true
420000 true
1000000 true
nilSERVER_ERROR object too large for cache
nilnilnil



=== TEST 3: several keys at once
--- config
    location = /t {
        content_by_lua_block {
            local memc = connected()
            local keys = {}
            for i = 1, 500 do keys[i] = "key " .. i memc:set(keys[i], ("v"):rep(i), 0, i) end
            keys[501] = "missing"
            local found, right = memc:get(keys), 0
            for i = 1, 501 do
                local value = found[keys[i]]
                if value and #value[1] == i and value[2] == tostring(i) then right = right + 1 end
            end
            ngx.say(right, " ", next(memc:get {}))
            local versions = memc:gets { "key 1", "key 2" }
            ngx.say(versions["key 1"][1], " ", versions["key 2"][1], " ", versions["key 1"][3] ~= versions["key 2"][3])
        }
    }
--- request
GET /t
--- response_body
500 nil
v vv true



=== TEST 4: compare and swap
--- config
    location = /t {
        content_by_lua_block {
            local memc, other = connected(), connected()
            memc:set("dog", "bark")
            local value, flags, unique, err = memc:gets("dog")
            ngx.say(value, " ", flags, " ", err)
            ngx.say(memc:cas("dog", "woof", unique))
            ngx.say(memc:cas("dog", "late", unique))
            unique = select(3, memc:gets("dog"))
            other:set("dog", "other")
            ngx.say(memc:cas("dog", "late", unique))
            ngx.say(memc:cas("none", "x", 1))
            ngx.say(memc:get("dog"))
        }
    }
--- request
GET /t
--- response_body
bark 0 nil
1
nilEXISTS
nilEXISTS
nilNOT_FOUND
other0



=== TEST 5: numbers
--- config
    location = /t {
        content_by_lua_block {
            local memc = connected()
            memc:set("n", 32)
            ngx.say(memc:incr("n", 10), " ", memc:decr("n", 2), " ", memc:decr("n", 100))
            ngx.say(memc:incr("none", 1))
            memc:set("text", "x")
            ngx.say(memc:incr("text", 1))
        }
    }
--- request
GET /t
--- response_body
42 40 0
nilNOT_FOUND
nilCLIENT_ERROR cannot increment or decrement non-numeric value



=== TEST 6: values that expire
--- config
    location = /t {
        content_by_lua_block {
            local memc = connected()
            memc:set("gone", "x", -1)
            ngx.say(memc:get("gone"))
            memc:set("there", "x", 100)
            ngx.say(memc:touch("there", 200), " ", memc:get("there"))
            ngx.say(memc:touch("none", 200))
        }
    }
--- request
GET /t
--- response_body
nilnilnil
1 x0
nilNOT_FOUND



=== TEST 7: a pooled connection is used again
--- config
    location = /t {
        content_by_lua_block {
            local memc = connected()
            ngx.say(memc:get_reused_times(), " ", memc:set("dog", "bark"), " ", (memc:get("dog")))
            ngx.say(memc:set_keepalive(60000, 10))
            ngx.say(memc:set("dog", "bark"))
            ngx.say(memc:set_keepalive())
        }
    }
--- request eval
["GET /t", "GET /t", "GET /t"]
--- response_body eval
[map { "$_ 1 bark\n1\nnilclosed\nnilclosed\n" } 0 .. 2]
--- error_log
attempt to send data on a closed socket



=== TEST 8: a connection that memcached has closed
--- config
    location = /t {
        lua_socket_log_errors off;
        content_by_lua_block {
            local memc = connected()
            ngx.say(memc:quit())
            -- Until it has closed: what is sent before that may be answered by a reset.
            ngx.say(select(2, memc.sock:receive(1)))
            ngx.say(select(3, memc:get("dog")))
            ngx.say(memc:connect("127.0.0.1", $TEST_NGINX_MEMC_PORT), " ", memc:set("dog", "bark"))
        }
    }
--- request
GET /t
--- response_body
1
closed
closed
1 1



=== TEST 9: a connection with an answer that was not read is not kept
--- config
    location = /t {
        content_by_lua_block {
            local memc = connected()
            memc.sock:send("version\r\n")
            memc.sock:receive(3)
            ngx.say(memc:set_keepalive())
            local again = connected()
            ngx.say(again:get_reused_times(), " ", again:set("dog", "bark"))
        }
    }
--- request
GET /t
--- response_body
nilunread data in buffer
0 1



=== TEST 10: many at once
--- config
    location = /t {
        content_by_lua_block {
            local threads, right = {}, 0
            connected():set("count", 0)
            for i = 1, 100 do
                threads[i] = ngx.thread.spawn(function()
                    local memc = connected()
                    local value = ("v" .. i .. " "):rep(i * 50)
                    for _ = 1, 10 do memc:incr("count", 1) end
                    memc:set("key" .. i, value)
                    local same = (memc:get("key" .. i)) == value
                    memc:set_keepalive(1000, 100)
                    return same
                end)
            end
            for i = 1, 100 do if select(2, ngx.thread.wait(threads[i])) then right = right + 1 end end
            ngx.say(right, " ", (connected():get("count")))
        }
    }
--- request
GET /t
--- response_body
100 1000



=== TEST 11: no server
--- config
    location = /t {
        content_by_lua_block {
            local memc = require("nginx.memcached"):new()
            ngx.say(memc:connect("127.0.0.1", $TEST_NGINX_RAND_PORT_1))
            ngx.say(memc:set("dog", "bark"))
            ngx.say(memc:close())
        }
    }
--- request
GET /t
--- response_body
nilconnection refused
nilclosed
nilclosed
--- error_log
connect() failed (111: Connection refused)
