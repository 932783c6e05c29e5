# Debian's Lua libraries that need more than a server here has: that they load, and what they say without one.
use Test::Nginx::Socket 'no_plan';

log_level('info');
no_long_string();
run_tests();

__DATA__

=== TEST 1: lua-nginx-kafka: brokers that do not answer
--- config
    location = /t {
        content_by_lua_block {
            local brokers = { { host = "127.0.0.1", port = $TEST_NGINX_RAND_PORT_1 } }
            local client = require("nginx.kafka.client"):new(brokers)
            ngx.say(client:fetch_metadata("topic"))
            local producer = require("nginx.kafka.producer"):new(brokers, { max_retry = 1, retry_backoff = 1 })
            ngx.say(producer:send("topic", "key", "a message"))
            ngx.say(type(require("nginx.kafka.response").new))
        }
    }
--- request
GET /t
--- response_body
nilnot found topic
nilnot found topic
function
--- error_log
all brokers failed in fetch topic metadata
connect() failed (111: Connection refused)



=== TEST 2: lua-nginx-kafka: messages that are sent later
--- config
    location = /t {
        content_by_lua_block {
            local failed
            local producer = require("nginx.kafka.producer"):new({ { host = "127.0.0.1", port = $TEST_NGINX_RAND_PORT_1 } }, {
                producer_type = "async", flush_time = 10, max_retry = 1, retry_backoff = 1,
                error_handle = function(topic, partition, queue, index, err, retryable) failed = topic .. " " .. index .. " " .. err end,
            })
            ngx.say(producer:send("topic", "key", "a message"))
            while not failed do ngx.sleep(0.001) end
            ngx.say(failed)
        }
    }
--- request
GET /t
--- response_body
true
topic 2 not found topic
--- error_log
all brokers failed in fetch topic metadata



=== TEST 3: lua-nginx-websocket
--- config
    location = /t {
        content_by_lua_block {
            for _, name in ipairs { "client", "protocol", "server" } do
                ngx.say(name, " ", require("nginx.websocket." .. name)._VERSION)
            end
            local client = require("nginx.websocket.client"):new()
            ngx.say(client:connect("ws://127.0.0.1:$TEST_NGINX_RAND_PORT_1/"))
            ngx.say(client:connect("http://127.0.0.1/"))
        }
    }
--- request
GET /t
--- response_body
client 0.08
protocol 0.08
server 0.08
nilfailed to connect: connection refused
nilbad websocket uri
--- error_log
connect() failed (111: Connection refused)
