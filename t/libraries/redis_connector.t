# Debian's lua-nginx-redis-connector, unchanged, against a real Redis and a sentinel that knows it.
use Test::Nginx::Socket 'no_plan';

use HotLua::Server;

my $redis = HotLua::Server->redis;
my $guarded = HotLua::Server->redis(password => 'secret');
my $sentinel = HotLua::Server->sentinel(mymaster => $redis);
$ENV{TEST_NGINX_REDIS_PORT} = $redis->{port};
$ENV{TEST_NGINX_REDIS_PATH} = $redis->{path};
$ENV{TEST_NGINX_GUARDED_PORT} = $guarded->{port};
$ENV{TEST_NGINX_SENTINEL_PORT} = $sentinel->{port};

log_level('info');
no_long_string();
run_tests();

__DATA__

=== TEST 1: by host, by path and by URL
--- config
    location = /t {
        content_by_lua_block {
            local connector = require("nginx.redis.connector").new { connect_timeout = 5000 }
            local red = assert(connector:connect { host = "127.0.0.1", port = $TEST_NGINX_REDIS_PORT, db = 2 })
            ngx.say(red:set("dog", "bark"), " ", red:get("dog"))
            ngx.say(connector:set_keepalive(red))
            red = assert(connector:connect { path = "unix:$TEST_NGINX_REDIS_PATH", db = 2 })
            ngx.say(red:get("dog"))
            red = assert(connector:connect { url = "redis://127.0.0.1:$TEST_NGINX_REDIS_PORT/2" })
            ngx.say(red:get("dog"), " ", red:get_reused_times())
            red = assert(connector:connect { url = "redis://secret@127.0.0.1:$TEST_NGINX_GUARDED_PORT/1" })
            ngx.say(red:set("dog", "meow"), " ", red:get("dog"))
        }
    }
--- request
GET /t
--- response_body
OK bark
1
bark
bark 1
OK meow
--- no_error_log
[error]



=== TEST 2: a transaction that was left open is discarded before the connection is kept
--- config
    location = /t {
        content_by_lua_block {
            local connector = require("nginx.redis.connector").new {
                connect_timeout = 5000, port = $TEST_NGINX_REDIS_PORT, keepalive_poolsize = 1,
                connection_options = { pool = "mine" },
            }
            local red = assert(connector:connect())
            red:multi()
            red:set("dog", "never")
            ngx.say(connector:set_keepalive(red))
            red = assert(connector:connect())
            ngx.say(red:get_reused_times(), " ", red:set("dog", "bark"), " ", red:get("dog"))
        }
    }
--- request
GET /t
--- response_body
1
1 OK bark
--- no_error_log
[error]



=== TEST 3: the master and what it has no replicas of, by a sentinel
--- config
    location = /t {
        content_by_lua_block {
            local connector = require("nginx.redis.connector").new {
                connect_timeout = 5000,
                sentinels = { { host = "127.0.0.1", port = $TEST_NGINX_RAND_PORT_1 }, { host = "127.0.0.1", port = $TEST_NGINX_SENTINEL_PORT } },
            }
            local red = assert(connector:connect())
            ngx.say(red:set("dog", "bark"), " ", red:config("get", "port")[2] == "$TEST_NGINX_REDIS_PORT")
            local replica, err, errors = connector:connect { role = "slave" }
            ngx.say(replica, " ", err)
        }
    }
--- request
GET /t
--- response_body
OK true
nil no slaves available
--- error_log
connect() failed (111: Connection refused)



=== TEST 4: no host that answers
--- config
    location = /t {
        content_by_lua_block {
            local connector = require("nginx.redis.connector").new { connect_timeout = 5000 }
            ngx.say(connector:connect { host = "127.0.0.1", port = $TEST_NGINX_RAND_PORT_1 })
            local red, err, errors = connector:try_hosts {
                { host = "127.0.0.1", port = $TEST_NGINX_RAND_PORT_1 },
                { path = "unix:/nowhere/at/all" },
            }
            ngx.say(red, " ", err, ": ", table.concat(errors, ", "))
        }
    }
--- request
GET /t
--- response_body
nilconnection refused
nil no hosts available: connection refused, no such file or directory
--- error_log
connect() failed (111: Connection refused)
connect() to unix:/nowhere/at/all failed (2: No such file or directory)
