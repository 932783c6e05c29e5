# Timers: where they can be made, which code they run, and how they end with their worker.
use Test::Nginx::Socket 'no_plan';

no_long_string();
master_on();

add_block_preprocessor(sub {
    my ($block) = @_;
    $block->set_value(request => "GET /t") if !defined $block->request && !defined $block->must_die;
});

run_tests();

__DATA__

=== TEST 1: each phase of a request can make them
--- http_config
    init_by_lua_block {
        made = {}
        function make(place) assert(ngx.timer.at(0, function() made[#made + 1] = place .. " " .. ngx.get_phase() end)) end
    }
    init_worker_by_lua_block { make("init_worker") }
    upstream back {
        server 0.0.0.1;
        balancer_by_lua_block {
            make("balancer")
            require("ngx.balancer").set_current_peer("127.0.0.1", ngx.var.server_port)
        }
    }
--- config
    server_rewrite_by_lua_block { if ngx.var.uri == "/pass" then make("server_rewrite") end }
    location /pass {
        set_by_lua_block $x { make("set") return "" }
        rewrite_by_lua_block { make("rewrite") }
        access_by_lua_block { make("access") }
        header_filter_by_lua_block { make("header_filter") }
        body_filter_by_lua_block { if ngx.arg[2] then make("body_filter") end }
        log_by_lua_block { make("log") }
        proxy_pass http://back/content;
    }
    location /content { content_by_lua_block { make("content") ngx.say("ok") } }
    location /t {
        content_by_lua_block {
            repeat ngx.sleep(0.001) until #made == 10
            table.sort(made)
            ngx.say(table.concat(made, "\n"))
        }
    }
--- request eval
["GET /pass", "GET /t"]
--- response_body eval
["ok\n", join '', map { "$_ timer\n" } qw(
    access balancer body_filter content header_filter init_worker log rewrite server_rewrite set)]
--- no_error_log
[error]



=== TEST 2: a timer can
--- config
    location /t {
        content_by_lua_block {
            local made = {}
            ngx.timer.at(0, function()
                made[#made + 1] = "outer"
                ngx.timer.at(0, function() made[#made + 1] = "inner" end)
            end)
            repeat ngx.sleep(0.001) until #made == 2
            ngx.say(table.concat(made, " "))
        }
    }
--- response_body
outer inner



=== TEST 3: while the configuration is loaded there is nothing to call back
--- http_config
    init_by_lua_block {
        said = {}
        for _, name in ipairs { "at", "every", "running_count", "pending_count" } do
            local ok, err = pcall(function() ngx.timer[name](1, function() end) end)
            said[#said + 1] = err:gsub("^.*:%d+: ", "")
        end
    }
--- config
    location /t { content_by_lua_block { ngx.say(table.concat(said, "\n")) } }
--- response_body
no request
no request
no request
no request



=== TEST 4: a directive's end of the worker makes none
--- http_config
    exit_worker_by_lua_block {
        for _, delay in ipairs { 0, 1 } do
            ngx.log(ngx.NOTICE, "says: ", select(2, pcall(function() ngx.timer.at(delay, function() end) end)))
        end
    }
--- config
    location /t { return 200; }
--- shutdown_error_log eval
qr/says: exit_worker_by_lua\(nginx\.conf:\d+\):3: API disabled in the context of exit_worker_by_lua\*/



=== TEST 5: those that pend are told that the worker ends; later ones only without a delay
--- config
    location /t {
        content_by_lua_block {
            local print = ngx.log
            local function tell(...) print(ngx.NOTICE, "told: ", ...) end
            ngx.timer.at(1000, function(premature, word)
                tell("second ", premature, " ", word, " ", ngx.worker.exiting())
                tell("later: ", tostring(ngx.timer.at(1, function() end)), " ", select(2, ngx.timer.at(1, function() end)))
                tell("every: ", select(2, ngx.timer.every(1, function() end)))
                tell("at once: ", ngx.timer.at(0, function(premature) tell("last ", premature) end))
            end, "word")
            ngx.timer.at(500, function(premature) tell("first ", premature) end)
            ngx.timer.every(2000, function(premature) tell("repeats ", premature) end)
            ngx.say("ok")
        }
    }
--- response_body
ok
--- no_error_log
told:
--- shutdown_error_log eval
[
    qr/told: first true, context: ngx\.timer/,
    qr/told: second true word true, context/,
    qr/told: later: nil process exiting, context/,
    qr/told: every: process exiting, context/,
    qr/told: at once: 1, context/,
    qr/told: last false, context/,
    qr/told: repeats true, context/,
]



=== TEST 6: one that runs keeps the worker until it has ended
--- config
    location /t {
        content_by_lua_block {
            local running
            ngx.timer.at(0, function()
                running = true
                repeat ngx.sleep(0.01) until ngx.worker.exiting()
                ngx.sleep(0.02)
                ngx.log(ngx.NOTICE, "told: has run to its end")
            end)
            ngx.timer.at(1000, function(premature)
                ngx.sleep(0.02)
                ngx.log(ngx.NOTICE, "told: ", premature, " to its end")
            end)
            repeat ngx.sleep(0.001) until running
            ngx.say("ok")
        }
    }
--- response_body
ok
--- shutdown_error_log
told: has run to its end
told: true to its end



=== TEST 7: without the code cache a timer has its request's own VM until it has ended
--- http_config
    lua_code_cache off;
    lua_shared_dict seen 1m;
--- config
    location /make {
        content_by_lua_block {
            mine, ticks = ngx.var.arg_name, ""
            local name = mine
            ngx.timer.at(0, function()
                ngx.sleep(0.001)
                collectgarbage()
                ngx.shared.seen:set("at " .. name, tostring(mine))
            end)
            ngx.timer.every(0.002, function()
                ticks = ticks .. name
                ngx.shared.seen:set("every " .. name, ticks)
            end)
            ngx.say(mine)
        }
    }
    location /t {
        content_by_lua_block {
            local seen = ngx.shared.seen
            repeat ngx.sleep(0.002) until #(seen:get("every a") or "") > 4 and #(seen:get("every b") or "") > 4
            ngx.say(seen:get("at a"), " ", seen:get("at b"))
            ngx.say(seen:get("every a"):sub(1, 4), " ", seen:get("every b"):sub(1, 4), " ", tostring(mine))
            ngx.say(ngx.timer.pending_count())
        }
    }
--- request eval
["GET /make?name=a", "GET /make?name=b", "GET /t"]
--- response_body eval
["a\n", "b\n", "a b\naaaa bbbb nil\n2\n"]
--- no_error_log
[error]



=== TEST 8: a timer tells its generation
--- config
    location /t {
        content_by_lua_block {
            local generation = require("hotlua").generation
            local seen
            ngx.timer.at(0, function() ngx.sleep(0.001) seen = generation() end)
            repeat ngx.sleep(0.001) until seen
            ngx.say(seen == generation())
        }
    }
--- response_body
true
--- no_error_log
[error]



=== TEST 9: a worker that is killed with timers that pend says nothing
--- config
    location /t {
        content_by_lua_block {
            for i = 1, 100 do ngx.timer.at(1000 + i, function() end, i) end
            ngx.timer.every(1000, function() end)
            ngx.timer.at(0, function() ngx.sleep(1000) end)
            ngx.sleep(0.001)
            local file = io.open("$TEST_NGINX_SERVER_ROOT/logs/nginx.pid")
            ngx.say("ok")
            ngx.eof()
            os.execute("kill -TERM " .. file:read("*l"))
        }
    }
--- response_body
ok
--- no_error_log
[alert]
[emerg]
signal 11
