# coroutine.*: coroutines of Lua's own, in which calls that wait work.
use Test::Nginx::Socket 'no_plan';

run_tests();

__DATA__

=== TEST 1: a wrapped function waits and yields
--- config
    location /t {
        content_by_lua_block {
            local f = coroutine.wrap(function(a)
                ngx.sleep(0.001)
                local b = coroutine.yield(a + 1)
                ngx.sleep(0.001)
                return b * 2, "end"
            end)
            ngx.say(f(1))
            ngx.say(f(5))
        }
    }
--- request
GET /t
--- response_body
2
10end



=== TEST 2: nested ones wait
--- config
    location /t {
        content_by_lua_block {
            local function deep(level)
                if level == 0 then ngx.sleep(0.001) return "bottom" end
                local co = coroutine.create(deep)
                local ok, text = coroutine.resume(co, level - 1)
                return text .. level
            end
            ngx.say(deep(10))
        }
    }
--- request
GET /t
--- response_body
bottom12345678910



=== TEST 3: nothing is added to what they return
--- config
    location /t {
        content_by_lua_block {
            local function count(...) return select("#", ...) end
            ngx.say(count(coroutine.resume(coroutine.create(function() end))))
            ngx.say(count(coroutine.resume(coroutine.create(function() return nil, nil end))))
            ngx.say(count(coroutine.wrap(function() coroutine.yield() end)()))
        }
    }
--- request
GET /t
--- response_body
1
3
0



=== TEST 4: ngx.exit in one ends the request
--- config
    location /t {
        access_by_lua_block {
            coroutine.wrap(function() pcall(function() ngx.sleep(0.001) ngx.exit(403) end) end)()
            ngx.log(ngx.ERR, "went on")
        }
        content_by_lua_block { ngx.say("content") }
    }
--- request
GET /t
--- error_code: 403
--- no_error_log
[error]



=== TEST 5: errors say where
--- config
    location /t {
        content_by_lua_block {
            local ok, err = coroutine.resume(coroutine.create(function() error("one") end))
            ngx.say(ok, " ", (err:gsub("^.-:%d+: ", "")))
            local ok, err = pcall(coroutine.wrap(function() ngx.sleep(0.001) error({ "two" }) end))
            ngx.say(ok, " ", err[1])
            ngx.say(pcall(coroutine.wrap, 3))
        }
    }
--- request
GET /t
--- response_body
false one
false two
falsebad argument #1 to 'wrap' (function expected, got number)



=== TEST 6: only a suspended one can be resumed
--- config
    location /t {
        content_by_lua_block {
            local co, other
            co = coroutine.create(function()
                ngx.say(coroutine.status(co), " ", select(2, coroutine.resume(co)))
                other = coroutine.create(function()
                    ngx.say(coroutine.status(co), " ", select(2, coroutine.resume(co)))
                end)
                coroutine.resume(other)
            end)
            ngx.say(coroutine.status(co))
            coroutine.resume(co)
            ngx.say(coroutine.status(co), " ", select(2, coroutine.resume(co)))
        }
    }
--- request
GET /t
--- response_body
suspended
running cannot resume running coroutine
normal cannot resume normal coroutine
dead cannot resume dead coroutine



=== TEST 7: where nothing can wait they still work
--- http_config
    init_by_lua_block { made = coroutine.wrap(function() return "init" end)() }
--- config
    location /t {
        set_by_lua_block $x { return coroutine.wrap(function() coroutine.yield("set") end)() }
        content_by_lua_block { ngx.say(made, ngx.var.x) }
        header_filter_by_lua_block { coroutine.wrap(function() ngx.header.X_Seen = "yes" end)() }
    }
--- request
GET /t
--- response_headers
X-Seen: yes
--- response_body
initset



=== TEST 8: one that waits is running, who has resumed it is normal, and nobody else can resume them
--- config
    location /t {
        content_by_lua_block {
            local inner = coroutine.create(function() ngx.sleep(0.01) return "slept" end)
            local outer = coroutine.create(function() return coroutine.resume(inner) end)
            local thread = ngx.thread.spawn(function() return coroutine.resume(outer) end)
            ngx.say(coroutine.status(inner), " ", coroutine.status(outer), " ", coroutine.status(thread))
            ngx.say(select(2, coroutine.resume(inner)))
            ngx.say(select(2, coroutine.resume(outer)))
            ngx.say(ngx.thread.wait(thread))
            ngx.say(coroutine.status(inner), " ", coroutine.status(outer))
        }
    }
--- request
GET /t
--- response_body
running normal normal
cannot resume running coroutine
cannot resume normal coroutine
truetruetrueslept
dead dead



=== TEST 9: what a wrapped coroutine raises goes on as it is, and the log has the frames of each that it has passed through
--- config
    location /t {
        content_by_lua_block {
            local inner = coroutine.wrap(function() error("broken") end)
            local outer = coroutine.wrap(function() inner() end)
            outer()
        }
    }
--- request
GET /t
--- error_code: 500
--- error_log eval
[
    qr/lua entry thread aborted: runtime error: content_by_lua\(nginx\.conf:\d+\):2: broken\n/,
    "coroutine 0:", "coroutine 1:", "in function 'inner'", "coroutine 2:", "in function 'outer'",
]



=== TEST 10: one that is caught
--- config
    location /t {
        content_by_lua_block {
            local function try(body, ...) ngx.say((tostring(select(2, pcall(coroutine.wrap(body), ...))):gsub("^.-%):", ""))) end
            try(function() error("one") end)
            try(function() error("two", 0) end)
            try(function() ngx.sleep(0.001) error("three") end)
            local raised = {}
            ngx.say(select(2, pcall(coroutine.wrap(function() error(raised) end))) == raised)
            ngx.say(tostring(select(2, pcall(coroutine.wrap(function() error() end)))))
            local ended = coroutine.wrap(function() end)
            ended()
            ngx.say(select(2, pcall(ended)))
            ngx.say((select(2, pcall(function() coroutine.resume(1) end)):gsub("^.-%):", "")))
        }
    }
--- request
GET /t
--- response_body
3: one
two
5: three
true
nil
cannot resume dead coroutine
12: bad argument #1 to 'resume' (coroutine expected)
