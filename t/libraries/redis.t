# Debian's lua-nginx-redis, unchanged, against a real Redis.
use Test::Nginx::Socket 'no_plan';

use HotLua::Server;

my $redis = HotLua::Server->redis;
my $guarded = HotLua::Server->redis(password => 'open sesame');
$ENV{TEST_NGINX_REDIS_PORT} = $redis->{port};
$ENV{TEST_NGINX_REDIS_PATH} = $redis->{path};
$ENV{TEST_NGINX_GUARDED_PORT} = $guarded->{port};

add_block_preprocessor(sub {
    my ($block) = @_;
    $block->set_value(http_config => ($block->http_config // '') . <<'CONF');
    lua_package_path "$prefix/html/?.lua;;";
    init_by_lua_block {
        local new = require("nginx.redis").new
        function connected(options)
            local client = assert(new())
            client:set_timeout(5000)
            assert(client:connect("127.0.0.1", $TEST_NGINX_REDIS_PORT, options))
            return client
        end
    }
CONF
    $block->set_value(no_error_log => '[error]') if !defined $block->error_log && !defined $block->no_error_log;
});

worker_connections(1024);
log_level('info');
no_long_string();
run_tests();

__DATA__

=== TEST 1: commands and the kinds of replies
--- config
    location = /t {
        content_by_lua_block {
            local red = connected()
            red:flushall()
            ngx.say("set ", red:set("dog", "an animal"))
            ngx.say("get ", red:get("dog"))
            ngx.say("missing ", red:get("cat") == ngx.null)
            ngx.say("incr ", red:incr("counter"), " ", red:incr("counter"))
            local ok, err = red:incr("dog")
            ngx.say("incr of text ", ok, " ", err)
            ngx.say("rpush ", red:rpush("list", "a", "b", "c"))
            ngx.say("lrange ", table.concat(red:lrange("list", 0, -1), ","))
            ngx.say("hmset ", red:hmset("animals", { dog = "bark", cat = "meow" }))
            local animals = red:array_to_hash(red:hgetall("animals"))
            ngx.say("hgetall ", animals.dog, " ", animals.cat)
            local values = red:mget("dog", "cat", "counter")
            ngx.say("mget ", values[1], " ", values[2] == ngx.null, " ", values[3])
            ngx.say("smembers ", #red:smembers("nothing"))
            ngx.say("close ", red:close())
            ngx.say("closed ", select(2, red:get("dog")))
        }
    }
--- request
GET /t
--- response_body
set OK
get an animal
missing true
incr 1 2
incr of text false ERR value is not an integer or out of range
rpush 3
lrange a,b,c
hmset OK
hgetall bark meow
mget an animal true 2
smembers 0
close 1
closed closed
--- error_log
attempt to send data on a closed socket



=== TEST 2: values of any bytes and any size
--- config
    location = /t {
        content_by_lua_block {
            local red = connected()
            for _, value in ipairs { "", "\r\n", "a\0b", "$3\r\nabc\r\n", ("0123456789abcdef\r\n\0\255"):rep(50000), ("x"):rep(3000000) } do
                red:set("value", value)
                ngx.say(#value, " ", red:get("value") == value)
            end
            for size = 4080, 4110 do
                local value = ("v"):rep(size)
                red:set("value", value)
                if red:get("value") ~= value then ngx.say(size) end
            end
        }
    }
--- request
GET /t
--- response_body
0 true
2 true
3 true
9 true
1000000 true
3000000 true



=== TEST 3: pipelines
--- config
    location = /t {
        content_by_lua_block {
            local red = connected()
            red:init_pipeline()
            red:set("dog", "bark")
            red:lpush("dog", "no list")
            red:get("dog")
            red:get("missing")
            local results = assert(red:commit_pipeline())
            ngx.say(#results, " ", results[1], " ", results[2][1], " ", results[2][2], " ", results[3], " ", results[4] == ngx.null)

            red:init_pipeline(20000)
            for i = 1, 20000 do red:set("key:" .. i, i) end
            ngx.say(#assert(red:commit_pipeline()))
            red:init_pipeline()
            for i = 1, 20000 do red:get("key:" .. i) end
            local sum = 0
            for _, value in ipairs(assert(red:commit_pipeline())) do sum = sum + value end
            ngx.say(sum)

            red:init_pipeline()
            red:set("dog", "meow")
            red:cancel_pipeline()
            ngx.say(red:get("dog"), " ", select(2, red:commit_pipeline()))
        }
    }
--- request
GET /t
--- response_body
4 OK false WRONGTYPE Operation against a key holding the wrong kind of value bark true
20000
200010000
bark no pipeline



=== TEST 4: transactions
--- config
    location = /t {
        content_by_lua_block {
            local red, other = connected(), connected()
            red:del("balance")
            ngx.say(red:multi(), " ", red:set("balance", 1), " ", red:incr("balance"))
            ngx.say(other:get("balance") == ngx.null)
            local results = red:exec()
            ngx.say(results[1], " ", results[2])

            red:watch("balance")
            red:multi()
            red:set("balance", 10)
            other:set("balance", 5)
            ngx.say(red:exec() == ngx.null, " ", red:get("balance"))

            red:multi()
            red:set("balance", 10)
            ngx.say(red:discard(), " ", red:get("balance"))
        }
    }
--- request
GET /t
--- response_body
OK QUEUED QUEUED
true
OK 2
true 5
OK 5



=== TEST 5: messages to a subscriber
--- config
    location = /t {
        content_by_lua_block {
            local subscriber, publisher = connected(), connected()
            local function show(reply, err) ngx.say(reply and table.concat(reply, " ") or err) end
            show(subscriber:subscribe("dog"))
            show(subscriber:psubscribe("c*"))
            subscriber:set_timeout(10)
            show(subscriber:read_reply())
            show(subscriber:read_reply())
            ngx.say(publisher:publish("dog", "woof"), " ", publisher:publish("cat", "meow"), " ", publisher:publish("owl", "hoo"))
            subscriber:set_timeout(5000)
            show(subscriber:read_reply())
            show(subscriber:read_reply())
            show(nil, select(2, subscriber:set_keepalive()))
            show(subscriber:unsubscribe("dog"))
            show(subscriber:punsubscribe("c*"))
            show(nil, select(2, subscriber:read_reply()))
            ngx.say(subscriber:set_keepalive(1000, 1))
        }
    }
--- request
GET /t
--- response_body
subscribe dog 1
psubscribe c* 2
timeout
timeout
1 1 0
message dog woof
pmessage c* cat meow
subscribed state
unsubscribe dog 1
punsubscribe c* 0
not subscribed
1
--- error_log
lua tcp socket read timed out



=== TEST 6: a subscriber waits while other threads go on
--- config
    location = /t {
        content_by_lua_block {
            local subscriber = connected()
            subscriber:subscribe("news")
            local got = {}
            local reader = ngx.thread.spawn(function()
                repeat
                    local reply = assert(subscriber:read_reply())
                    got[#got + 1] = reply[3]
                until reply[3] == "end"
            end)
            local publisher = connected()
            for i = 1, 100 do publisher:publish("news", i) end
            publisher:publish("news", "end")
            ngx.thread.wait(reader)
            ngx.say(#got, " ", got[1], " ", got[100], " ", got[101])
        }
    }
--- request
GET /t
--- response_body
101 1 100 end



=== TEST 7: a pooled connection is used again
--- config
    location = /t {
        content_by_lua_block {
            local red = connected()
            ngx.say(red:get_reused_times() == 0 and "new" or "used again", " ", red:set("dog", "bark"), " ", red:get("dog"))
            red:client("setname", "pooled")
            ngx.say(red:set_keepalive(60000, 10))
            ngx.say(select(2, red:get("dog")))
            local again = connected()
            ngx.say(again:get_reused_times() > 0, " ", again:client("getname"))
            again:set_keepalive(60000, 10)
        }
    }
--- request eval
["GET /t", "GET /t"]
--- response_body eval
["new OK bark\n1\nclosed\ntrue pooled\n", "used again OK bark\n1\nclosed\ntrue pooled\n"]
--- error_log
attempt to send data on a closed socket



=== TEST 8: pools are told apart by their names
--- config
    location = /t {
        content_by_lua_block {
            local red = connected { pool = "mine" }
            red:select(3)
            red:set("where", "in 3")
            red:set_keepalive()
            local other = connected()
            ngx.say(other:get_reused_times(), " ", other:get("where") == ngx.null)
            local again = connected { pool = "mine" }
            ngx.say(again:get_reused_times(), " ", again:get("where"))
        }
    }
--- request
GET /t
--- response_body
0 true
1 in 3



=== TEST 9: a pool that is full closes the connection that was idle longest
--- config
    location = /t {
        content_by_lua_block {
            local many = {}
            for i = 1, 4 do many[i] = connected() many[i]:client("setname", "number" .. i) end
            for i = 1, 4 do many[i]:set_keepalive(0, 2) end
            local names = {}
            for i = 1, 3 do
                local red = connected()
                names[i] = red:get_reused_times() .. ":" .. tostring(red:client("getname"))
            end
            ngx.say(table.concat(names, " "))
        }
    }
--- request
GET /t
--- response_body
1:number4 1:number3 0:userdata: NULL



=== TEST 10: a connection that the server has closed leaves the pool
--- config
    location = /t {
        content_by_lua_block {
            local red, other = connected { pool = "a" }, connected { pool = "b" }
            local id = red:client("id")
            red:set_keepalive()
            ngx.say(other:client("kill", "id", id))
            -- Redis answers when it has closed it; the worker learns of it at its next round.
            ngx.sleep(0.001)
            local again = connected { pool = "a" }
            ngx.say(again:get_reused_times(), " ", again:ping())
        }
    }
--- request
GET /t
--- response_body
1
0 PONG



=== TEST 11: scripts
--- config
    location = /t {
        content_by_lua_block {
            local red = connected()
            ngx.say(red:eval("return { KEYS[1], ARGV[1], 42 }", 1, "key", "argument")[3])
            local sha = red:script("load", "return redis.call('incrby', KEYS[1], ARGV[1])")
            red:del("sum")
            ngx.say(red:evalsha(sha, 1, "sum", 20), " ", red:evalsha(sha, 1, "sum", 22))
            ngx.say(red:evalsha(("0"):rep(40), 0))
            ngx.say(red:eval("return { err = 'my error' }", 0))
            local nested = red:eval("return { 1, { 2, { 3, 'x' } } }", 0)
            ngx.say(nested[1], nested[2][1], nested[2][2][1], nested[2][2][2])
        }
    }
--- request
GET /t
--- response_body
42
20 42
falseNOSCRIPT No matching script. Please use EVAL.
falsemy error
123x



=== TEST 12: over a Unix domain socket
--- config
    location = /t {
        content_by_lua_block {
            local red = require("nginx.redis"):new()
            ngx.say(red:connect("unix:$TEST_NGINX_REDIS_PATH"))
            ngx.say(red:set("dog", "bark"), " ", red:get("dog"))
            ngx.say(red:set_keepalive())
            ngx.say(red:connect("unix:$TEST_NGINX_REDIS_PATH"), " ", red:get_reused_times(), " ", red:ping())
            ngx.say(red:connect("unix:/nowhere/at/all"))
        }
    }
--- request
GET /t
--- response_body
1
OK bark
1
1 1 PONG
nilno such file or directory
--- error_log
connect() to unix:/nowhere/at/all failed (2: No such file or directory)



=== TEST 13: no server
--- config
    location = /t {
        content_by_lua_block {
            local red = require("nginx.redis"):new()
            red:set_timeout(1000)
            ngx.say(red:connect("127.0.0.1", $TEST_NGINX_RAND_PORT_1))
            ngx.say(red:get("dog"))
            ngx.say(red:set_keepalive())
            ngx.say(red:close())
            ngx.say(red:get_reused_times())
            ngx.say(red:connect("127.0.0.1", "$TEST_NGINX_REDIS_PORT"), " ", red:ping())
        }
    }
--- request
GET /t
--- response_body
nilconnection refused
nilclosed
nilclosed
nilclosed
nilclosed
1 PONG
--- error_log
connect() failed (111: Connection refused)



=== TEST 14: a password
--- config
    location = /t {
        content_by_lua_block {
            local red = require("nginx.redis"):new()
            red:connect("127.0.0.1", $TEST_NGINX_GUARDED_PORT)
            ngx.say(red:get("dog"))
            ngx.say(red:auth("wrong"))
            ngx.say(red:auth("open sesame"), " ", red:ping())
        }
    }
--- request
GET /t
--- response_body
falseNOAUTH Authentication required.
falseWRONGPASS invalid username-password pair or user is disabled.
OK PONG



=== TEST 15: a reply that does not come in time closes the connection
--- config
    location = /t {
        content_by_lua_block {
            local red = connected()
            red:del("queue")
            red:set_timeout(20)
            ngx.say(red:blpop("queue", 0))
            ngx.say(red:ping())
            red = connected()
            ngx.say(red:blpop("queue", 0.02) == ngx.null, " ", red:ping())
        }
    }
--- request
GET /t
--- response_body
niltimeout
nilclosed
true PONG
--- error_log
lua tcp socket read timed out



=== TEST 16: a blocked command is woken by another connection
--- config
    location = /t {
        content_by_lua_block {
            local red, other = connected(), connected()
            red:del("queue")
            local worker = ngx.thread.spawn(function()
                local sum = 0
                while true do
                    local item = red:blpop("queue", 0)[2]
                    if item == "end" then return sum end
                    sum = sum + item
                end
            end)
            for i = 1, 50 do other:rpush("queue", i) end
            other:rpush("queue", "end")
            ngx.say(select(2, ngx.thread.wait(worker)))
        }
    }
--- request
GET /t
--- response_body
1275



=== TEST 17: the server ends a connection in the middle of a wait
--- config
    location = /t {
        content_by_lua_block {
            local red, other = connected(), connected()
            red:del("queue")
            local id = red:client("id")
            local blocked = ngx.thread.spawn(function() return red:blpop("queue", 0) end)
            ngx.say(other:client("kill", "id", id))
            local _, reply, err = ngx.thread.wait(blocked)
            ngx.say(reply, " ", err)
            ngx.say(red:ping())
        }
    }
--- request
GET /t
--- response_body
1
nil closed
nilclosed
--- error_log
data on a closed socket



=== TEST 18: a hundred connections at once
--- config
    location = /t {
        content_by_lua_block {
            local threads, sum = {}, 0
            connected():set("number", 0)
            for i = 1, 100 do
                threads[i] = ngx.thread.spawn(function()
                    local red = connected()
                    for _ = 1, 20 do red:incr("number") end
                    red:set("key:" .. i, i)
                    local value = tonumber(red:get("key:" .. i))
                    red:set_keepalive(10000, 200)
                    return value
                end)
            end
            for i = 1, 100 do sum = sum + select(2, ngx.thread.wait(threads[i])) end
            local red = connected()
            ngx.say(sum, " ", red:get("number"), " ", red:get_reused_times())
        }
    }
--- request
GET /t
--- response_body
5050 2000 1



=== TEST 19: in each phase where Lua may wait
--- config
    location = /t {
        rewrite_by_lua_block {
            local red = connected()
            red:set("rewrite", "written")
            ngx.ctx.red = red
        }
        access_by_lua_block {
            -- The same connection goes on through the phases of its request.
            ngx.ctx.red:append("rewrite", " and read")
            connected():set_keepalive()
        }
        content_by_lua_block {
            ngx.say(ngx.ctx.red:get("rewrite"))
            local done
            ngx.timer.at(0, function()
                local red = connected()
                red:append("rewrite", " in a timer")
                red:set_keepalive()
                done = true
            end)
            while not done do ngx.sleep(0.001) end
            ngx.say(ngx.ctx.red:get("rewrite"))
        }
    }
--- request
GET /t
--- response_body
written and read
written and read in a timer



=== TEST 20: not where it may not
--- http_config
    init_worker_by_lua_block { in_worker = { pcall(require("nginx.redis").new) } }
--- config
    location = /t {
        set_by_lua_block $in_set { return select(2, pcall(connected)) }
        content_by_lua_block {
            ngx.say(ngx.var.in_set:match("API disabled in the context of %S+"))
            ngx.say(in_worker[1], " ", in_worker[2]:match("API disabled in the context of %S+"))
        }
    }
--- request
GET /t
--- response_body
API disabled in the context of set_by_lua*
false API disabled in the context of init_worker_by_lua*



=== TEST 21: a client belongs to the request that made it
--- config
    location = /t {
        content_by_lua_block {
            local kept = package.loaded.kept
            if kept then ngx.say(kept:ping()) end
            package.loaded.kept = connected()
            ngx.say(package.loaded.kept:ping())
            ngx.print(ngx.location.capture("/other").body)
            ngx.say(package.loaded.kept:ping())
        }
    }
    location = /other {
        content_by_lua_block {
            local kept = package.loaded.kept
            for _, name in ipairs { "ping", "close", "set_keepalive" } do
                ngx.say(name, " ", select(2, pcall(kept[name], kept, 1)))
            end
        }
    }
--- request eval
["GET /t", "GET /t"]
--- response_body_like eval
my $text = "PONG
ping .*bad request
close .*bad request
set_keepalive .*bad request
PONG
";
[qr/\A$text\z/, qr/\Anilclosed\n$text\z/]
--- no_error_log
[alert]



=== TEST 22: what a request leaves open is closed at its end
--- config
    location = /leave {
        content_by_lua_block {
            package.loaded.left = connected()
            package.loaded.left:client("setname", "left")
            ngx.say("left")
        }
    }
    location = /look {
        content_by_lua_block { ngx.say(connected():client("list"):find("name=left", 1, true)) }
    }
--- request eval
["GET /leave", "GET /look"]
--- response_body eval
["left\n", "nil\n"]
