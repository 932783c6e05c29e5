# ngx.semaphore: resources that coroutines of a worker wait for.
use Test::Nginx::Socket 'no_plan';

run_tests();

__DATA__

=== TEST 1: those who wait go on in the order in which they came, and not within post
--- config
    location = /t {
        content_by_lua_block {
            local semaphore = require("ngx.semaphore").new()
            for i = 1, 3 do
                ngx.thread.spawn(function() ngx.say(i, " goes on: ", semaphore:wait(10)) end)
            end
            ngx.say("count: ", semaphore:count())
            ngx.say("posts: ", semaphore:post(2))
            ngx.say("count: ", semaphore:count())
            ngx.sleep(0.001)
            semaphore:post()
            ngx.say("posted")
        }
    }
--- request
GET /t
--- response_body
count: -3
posts: true
count: -1
1 goes on: truenil
2 goes on: truenil
posted
3 goes on: truenil



=== TEST 2: what is there is taken at once; without time to wait nobody waits
--- config
    location = /t {
        content_by_lua_block {
            local semaphore = require("ngx.semaphore").new(2)
            ngx.say(semaphore:wait(0), " ", semaphore:wait(10), " ", semaphore:count())
            for _, seconds in ipairs { 0, "0", 0.0009, 0.001, 0.01 } do
                ngx.say(seconds, ": ", semaphore:wait(seconds))
            end
            ngx.say(semaphore:count())
        }
    }
--- request
GET /t
--- response_body
true true 0
0: niltimeout
0: niltimeout
0.0009: niltimeout
0.001: falsetimeout
0.01: falsetimeout
0



=== TEST 3: who comes later gets nothing before those who waited have gone on
--- config
    location = /t {
        content_by_lua_block {
            local semaphore = require("ngx.semaphore").new()
            ngx.thread.spawn(function() semaphore:wait(10) ngx.say("first") end)
            semaphore:post(2)
            ngx.say(semaphore:wait(0))
            semaphore:wait(10)
            ngx.say("second")
        }
    }
--- request
GET /t
--- response_body
niltimeout
first
second



=== TEST 4: a killed thread leaves the queue, and what it was granted to the next
--- config
    location = /t {
        content_by_lua_block {
            local semaphore = require("ngx.semaphore").new()
            local function wait(name) ngx.say(name, " ", semaphore:wait(10)) end
            local gone, granted = ngx.thread.spawn(wait, "gone"), ngx.thread.spawn(wait, "granted")
            ngx.thread.spawn(wait, "next")
            ngx.thread.kill(gone)
            ngx.say(semaphore:count())
            semaphore:post()
            ngx.thread.kill(granted)
            ngx.say(semaphore:count())
        }
    }
--- request
GET /t
--- response_body
-2
0
next truenil



=== TEST 5: one request posts what another one waits for
--- http_config
    init_by_lua_block { semaphore = require("ngx.semaphore").new(1) }
--- config
    location = /waits { content_by_lua_block { ngx.say("waited: ", semaphore:wait(10), " ", semaphore:wait(10)) } }
    location = /posts {
        content_by_lua_block {
            while semaphore:count() >= 0 do ngx.sleep(0.001) end
            semaphore:post()
            ngx.say("posted")
        }
        log_by_lua_block { semaphore:post(2) }
    }
    location = /t {
        content_by_lua_block {
            for _, answer in ipairs { ngx.location.capture_multi { { "/waits" }, { "/posts" } } } do
                ngx.print(answer.body)
            end
        }
    }
--- request
GET /t
--- response_body
waited: true truenil
posted



=== TEST 6: a request that ends leaves the queue
--- http_config
    init_by_lua_block { semaphore = require("ngx.semaphore").new() }
--- config
    location = /t {
        content_by_lua_block {
            ngx.thread.spawn(function() semaphore:wait(100) ngx.log(ngx.ERR, "went on") end)
            ngx.say(semaphore:count())
            ngx.exit(200)
        }
    }
--- pipelined_requests eval
["GET /t", "GET /t"]
--- response_body eval
["-1\n", "-1\n"]
--- no_error_log
[error]



=== TEST 7: in a coroutine, and behind pcall
--- config
    location = /t {
        content_by_lua_block {
            local semaphore = require("ngx.semaphore").new()
            local inside = coroutine.wrap(function()
                ngx.say(semaphore:wait(0.001))
                coroutine.yield()
                ngx.say(pcall(semaphore.wait, semaphore, 10))
            end)
            inside()
            ngx.thread.spawn(function() ngx.sleep(0.001) semaphore:post() end)
            inside()
        }
    }
--- request
GET /t
--- response_body
falsetimeout
truetruenil



=== TEST 8: bad arguments
--- config
    location = /t {
        content_by_lua_block {
            local module = require "ngx.semaphore"
            local semaphore = module.new("1")
            local function try(call, ...)
                local ok, err = pcall(call, ...)
                ngx.say((tostring(err):gsub("^.-:%d+: ", "")))
            end
            try(function() module.new(-1) end)
            try(function() semaphore:wait() end)
            try(function() semaphore:wait("x") end)
            try(function() semaphore:wait(-1) end)
            try(function() semaphore:post(0) end)
            try(function() semaphore:post(-1) end)
            for _, method in ipairs { "wait", "post", "count" } do
                for _, self in ipairs { 1, "x", {}, { "x" } } do
                    try(function() module[method](self, 1) end)
                end
            end
            ngx.say(module.new("x"):count(), module.new({}):count(), module.new("2"):count(), module.new(1.9):count())
            semaphore:post("x") semaphore:post({}) semaphore:post("2") semaphore:post(1.9) semaphore:post(0/0)
            ngx.say(semaphore:count())
            ngx.say(semaphore:wait(1e300), semaphore:wait(0/0))
        }
    }
--- request
GET /t
--- response_body eval
"no negative number
bad argument #1 to 'wait' (number expected, got nil)
bad argument #1 to 'wait' (number expected, got string)
no negative number
positive number required
positive number required
" . ("not a semaphore instance\n" x 12) . "0021
6
truetrue
"



=== TEST 9: where nothing can wait
--- http_config
    init_by_lua_block {
        semaphore = require("ngx.semaphore").new(1)
        at_init = select(2, pcall(semaphore.wait, semaphore, 0))
    }
--- config
    location = /t {
        set_by_lua_block $answer {
            return at_init .. ", " .. table.concat({ tostring(semaphore:wait(0)), select(2, semaphore:wait(1)), semaphore:count() }, " ")
        }
        return 200 "$answer\n";
    }
--- request
GET /t
--- response_body
no request found, nil API disabled in the context of set_by_lua* 1



=== TEST 10: many who give up while others wait
--- config
    location = /t {
        content_by_lua_block {
            local semaphore = require("ngx.semaphore").new()
            local got, gave_up = 0, 0
            local threads = {}
            for i = 1, 2000 do
                threads[i] = ngx.thread.spawn(function()
                    if semaphore:wait(i % 2 == 0 and 0.001 or 10) then got = got + 1 else gave_up = gave_up + 1 end
                end)
            end
            while gave_up < 1000 do ngx.sleep(0.001) end
            semaphore:post(1001)
            while got < 1000 do ngx.sleep(0) end
            ngx.say(got, " ", gave_up, " ", semaphore:count())
        }
    }
--- request
GET /t
--- response_body
1000 1000 1
