# ngx.thread: light threads.
use Test::Nginx::Socket 'no_plan';

run_tests();

__DATA__

=== TEST 1: they run side by side, and each until it waits
--- config
    location /t {
        content_by_lua_block {
            local function say(name, seconds)
                ngx.say(name, " begins")
                ngx.sleep(seconds)
                ngx.say(name, " ends")
            end
            ngx.thread.spawn(say, "slow", 0.05)
            ngx.thread.spawn(say, "quick", 0.001)
            ngx.say("returns")
        }
    }
--- request
GET /t
--- response_body
slow begins
quick begins
returns
quick ends
slow ends



=== TEST 2: wait returns what the first of them returned
--- config
    location /t {
        content_by_lua_block {
            local function after(seconds, ...) ngx.sleep(seconds) return ... end
            local slow, quick = ngx.thread.spawn(after, 0.05, "slow"), ngx.thread.spawn(after, 0.001, "quick", nil, nil)
            ngx.say(select("#", ngx.thread.wait(slow, quick)))
            ngx.say(ngx.thread.wait(slow))
        }
    }
--- request
GET /t
--- response_body
4
trueslow



=== TEST 3: one that has ended already is not waited for
--- config
    location /t {
        content_by_lua_block {
            local ended = ngx.thread.spawn(function() return 1 end)
            ngx.say(coroutine.status(ended))
            ngx.say(ngx.thread.wait(ended))
            ngx.say(coroutine.status(ended))
            local ok, err = ngx.thread.wait(ended)
            ngx.say(tostring(ok), " ", err)
        }
    }
--- request
GET /t
--- response_body
zombie
true1
dead
nil already waited or killed



=== TEST 4: one that raises harms nobody, and is logged
--- config
    location /t {
        content_by_lua_block {
            local thread = ngx.thread.spawn(function() ngx.sleep(0.001) local function inner() error("broken") end inner() end)
            local ok, err = ngx.thread.wait(thread)
            ngx.say(ok, " ", (err:gsub("^.-:%d+: ", "")))
        }
    }
--- request
GET /t
--- response_body
false broken
--- error_log
lua user thread aborted: runtime error: content_by_lua(nginx.conf:
coroutine 0:
in function 'inner'



=== TEST 5: a killed one goes on no more
--- config
    location /t {
        content_by_lua_block {
            local sleeper = ngx.thread.spawn(function() ngx.sleep(100) ngx.say("awake") end)
            ngx.say(coroutine.status(sleeper))
            ngx.say(ngx.thread.kill(sleeper))
            ngx.say(coroutine.status(sleeper))
            for _, thread in ipairs { sleeper, ngx.thread.spawn(function() end), coroutine.create(print), coroutine.running() } do
                local ok, err = ngx.thread.kill(thread)
                ngx.say(tostring(ok), " ", err)
            end
        }
    }
--- request
GET /t
--- response_body
running
1
dead
nil already waited or killed
nil already terminated
nil not user thread
nil not user thread



=== TEST 6: ngx.exit in one ends them all
--- config
    location /t {
        content_by_lua_block {
            ngx.thread.spawn(function() ngx.sleep(0.001) ngx.exit(403) end)
            ngx.thread.spawn(function() ngx.sleep(0.05) ngx.log(ngx.ERR, "went on") end)
            ngx.sleep(100)
        }
    }
--- request
GET /t
--- error_code: 403
--- no_error_log
[error]



=== TEST 7: what the entry thread raises ends them all
--- config
    location /t {
        content_by_lua_block {
            ngx.thread.spawn(function() ngx.sleep(0.01) ngx.log(ngx.WARN, "went on") end)
            error("broken")
        }
    }
--- request
GET /t
--- error_code: 500
--- error_log
lua entry thread aborted: runtime error: content_by_lua(nginx.conf:
--- no_error_log
went on



=== TEST 8: exec from one
--- config
    location /t {
        rewrite_by_lua_block {
            ngx.thread.spawn(function() ngx.sleep(0.001) ngx.exec("/other") end)
            ngx.sleep(100)
        }
    }
    location /other { content_by_lua_block { ngx.say(ngx.var.uri) } }
--- pipelined_requests eval
["GET /t", "GET /t"]
--- error_code eval
[200, 200]
--- response_body eval
["/other\n", "/other\n"]



=== TEST 9: yielding lets the others go on, in turns
--- config
    location /t {
        content_by_lua_block {
            local function counter(name) return function() for i = 1, 3 do ngx.say(name, i) coroutine.yield() end end end
            ngx.thread.spawn(counter "a")
            ngx.thread.spawn(counter "b")
        }
    }
--- request
GET /t
--- response_body
a1
b1
a2
b2
a3
b3



=== TEST 10: they spawn in turn, and only who has spawned may wait or kill
--- config
    location /t {
        content_by_lua_block {
            local inner
            local outer = ngx.thread.spawn(function()
                inner = ngx.thread.spawn(function() ngx.sleep(0.001) return "inner" end)
                return ngx.thread.wait(inner)
            end)
            coroutine.yield()
            local ok, err = pcall(ngx.thread.wait, inner)
            ngx.say((err:gsub("^.-:%d+: ", "")))
            ngx.say(select(2, ngx.thread.kill(inner)))
            ngx.say(ngx.thread.wait(outer))
        }
    }
--- request
GET /t
--- response_body
only the parent coroutine can wait on the thread
killer not parent
truetrueinner



=== TEST 11: bad arguments
--- config
    location /t {
        content_by_lua_block {
            for _, call in ipairs {
                function() ngx.thread.spawn("x") end, function() ngx.thread.spawn() end,
                function() ngx.thread.wait() end, function() ngx.thread.wait(1) end,
                function() ngx.thread.wait(coroutine.create(print)) end, function() ngx.thread.kill(1) end,
            } do
                local ok, err = pcall(call)
                ngx.say((err:gsub("^.-:%d+: ", "")))
            end
        }
    }
--- request
GET /t
--- response_body
bad argument #1 to 'spawn' (function expected, got string)
bad argument #1 to 'spawn' (function expected, got nil)
at least one coroutine should be specified
bad argument #1 to 'wait' (lua thread expected)
attempt to wait on a coroutine that is not a user thread
bad argument #1 to 'kill' (lua thread expected)



=== TEST 12: not where nothing can wait
--- config
    location /t {
        content_by_lua_block { ngx.say("x") }
        log_by_lua_block { ngx.thread.spawn(function() end) }
    }
--- request
GET /t
--- error_log
API disabled in the context of log_by_lua*



=== TEST 13: many, over and over
--- config
    location /t {
        content_by_lua_block {
            local sum = 0
            for round = 1, 20 do
                local threads = {}
                for i = 1, 50 do threads[i] = ngx.thread.spawn(function() ngx.sleep(0) return i end) end
                for i = 1, 50 do sum = sum + select(2, ngx.thread.wait(threads[i])) end
            end
            ngx.say(sum)
        }
    }
--- request
GET /t
--- response_body
25500



=== TEST 14: light threads go with what led to them, however a request has ended
--- http_config
    init_by_lua_block {
        local seen = setmetatable({}, { __mode = "k" })
        function watch(co) seen[co] = true return co end
        function left()
            collectgarbage() collectgarbage()
            local count = 0
            for _ in pairs(seen) do count = count + 1 end
            return count
        end
    }
--- config
    location /raises {
        content_by_lua_block {
            local waits = watch(ngx.thread.spawn(function() ngx.sleep(0) return 1 end))
            ngx.thread.wait(waits)
            local runs = watch(ngx.thread.spawn(function() ngx.sleep(60) end))
            error("leaves " .. type(waits) .. type(runs))
        }
    }
    location /forgets {
        content_by_lua_block {
            -- What a light thread has returned leads to it.
            local own = {}
            own.thread = watch(ngx.thread.spawn(function() return own end))
            ngx.say("forgotten")
        }
    }
    location /main {
        content_by_lua_block {
            for _ = 1, 3 do
                ngx.location.capture("/raises")
                ngx.location.capture("/forgets")
            end
            ngx.say(left())
        }
    }
--- request
GET /main
--- response_body
0
--- error_log
leaves threadthread



=== TEST 15: far more than mlua has references, waiting, killed and ended
--- config
    location /t {
        content_by_lua_block {
            local threads, sum = {}, 0
            local function body(number)
                if number % 2 == 0 then ngx.sleep(number % 3 == 0 and 0.001 or 100) end
                return number
            end
            for i = 1, 20000 do threads[i] = ngx.thread.spawn(body, i) end
            for i = 1, 20000 do
                if i % 2 == 0 and i % 3 ~= 0 then
                    sum = sum + ngx.thread.kill(threads[i])
                else
                    sum = sum + select(2, ngx.thread.wait(threads[i]))
                end
            end
            ngx.say(sum)
        }
    }
--- request
GET /t
--- response_body_like: ^\d+$
--- no_error_log
[error]



=== TEST 16: the log has the frames of those that have spawned it
--- config
    location /t {
        content_by_lua_block {
            local function inner() ngx.sleep(0.001) error("broken") end
            local function outer() ngx.thread.wait(ngx.thread.spawn(inner)) end
            ngx.thread.wait(ngx.thread.spawn(outer))
        }
    }
--- request
GET /t
--- error_log
lua user thread aborted: runtime error: content_by_lua(nginx.conf:
coroutine 0:
in function <content_by_lua(nginx.conf:
coroutine 1:
coroutine 2:
in main chunk
