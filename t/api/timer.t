# ngx.timer: callbacks outside of requests.
use Test::Nginx::Socket 'no_plan';

no_long_string();

add_block_preprocessor(sub {
    my ($block) = @_;
    $block->set_value(request => "GET /t") if !defined $block->request && !defined $block->must_die;
});

run_tests();

__DATA__

=== TEST 1: a callback gets whether it is premature, then its arguments, nils among them
--- config
    location /t {
        content_by_lua_block {
            local seen
            ngx.say(ngx.timer.at(0.001, function(...) seen = { select("#", ...), ... } end, "a", nil, 3, nil))
            repeat ngx.sleep(0.001) until seen
            ngx.say(seen[1], " ", tostring(seen[2]), " ", seen[3], " ", tostring(seen[4]), " ", seen[5], " ", tostring(seen[6]))
            seen = nil
            ngx.timer.at(0, function(...) seen = { select("#", ...), ... } end)
            repeat ngx.sleep(0.001) until seen
            ngx.say(seen[1], " ", tostring(seen[2]))
        }
    }
--- response_body
1
5 false a nil 3 nil
1 false
--- no_error_log
[error]



=== TEST 2: without a delay it runs once the code that runs has waited or ended, in the order in which it was made
--- config
    location /t {
        content_by_lua_block {
            local seen = {}
            for i = 1, 3 do ngx.timer.at(0, function() seen[#seen + 1] = i end) end
            seen[#seen + 1] = "now"
            repeat ngx.sleep(0.001) until #seen == 4
            ngx.say(table.concat(seen, " "))
        }
    }
--- response_body
now 1 2 3



=== TEST 3: not before its delay is over, and those with a shorter delay first
--- config
    location /t {
        content_by_lua_block {
            local seen, begin = {}, ngx.now()
            local function tell(_, delay)
                seen[#seen + 1] = delay
                if ngx.now() - begin < delay - 0.0011 then seen[#seen + 1] = "too early" end
            end
            for _, delay in ipairs { 0.04, 0.02, "0.03" } do ngx.timer.at(delay, tell, tonumber(delay)) end
            repeat ngx.sleep(0.005) until #seen >= 3
            ngx.say(table.concat(seen, " "))
        }
    }
--- response_body
0.02 0.03 0.04



=== TEST 4: what is below zero, and what is no number, is due at once; what is beyond all clocks pends
--- config
    location /t {
        content_by_lua_block {
            local seen = 0
            local function count() seen = seen + 1 end
            for _, delay in ipairs { -1, -1e9, -0.0001, 0.0001, 0 / 0, -math.huge } do ngx.timer.at(delay, count) end
            for _, delay in ipairs { math.huge, 1e300, 1e9 } do ngx.timer.at(delay, count) end
            repeat ngx.sleep(0.001) until seen == 6
            ngx.say(ngx.timer.pending_count())
        }
    }
--- response_body
3
--- no_error_log
[error]



=== TEST 5: wrong arguments
--- config
    location /t {
        content_by_lua_block {
            local function try(call, ...)
                local ok, err = pcall(call, ...)
                ngx.say(ok and "ok" or err)
            end
            local f, at, every = function() end, ngx.timer.at, ngx.timer.every
            try(function() at() end)
            try(function() every(1) end)
            try(function() at("x", f) end)
            try(function() at({}, f) end)
            try(function() every(nil, f) end)
            try(function() at(1, nil) end)
            try(function() at(1, "f") end)
            try(function() at(1, coroutine.create(f)) end)
            try(function() at(1, string.rep) end)
            try(function() every(1, setmetatable({}, { __call = f })) end)
            for _, delay in ipairs { 0, 0.0009, -1, 0 / 0 } do try(function() every(delay, f) end) end
            ngx.say(ngx.timer.pending_count())
        }
    }
--- response_body
content_by_lua(nginx.conf:48):7: expecting at least 2 arguments but got 0
content_by_lua(nginx.conf:48):8: expecting at least 2 arguments but got 1
content_by_lua(nginx.conf:48):9: bad argument #1 to 'at' (number expected, got string)
content_by_lua(nginx.conf:48):10: bad argument #1 to 'at' (number expected, got table)
content_by_lua(nginx.conf:48):11: bad argument #1 to 'every' (number expected, got nil)
content_by_lua(nginx.conf:48):12: bad argument #2 to 'at' (Lua function expected)
content_by_lua(nginx.conf:48):13: bad argument #2 to 'at' (Lua function expected)
content_by_lua(nginx.conf:48):14: bad argument #2 to 'at' (Lua function expected)
content_by_lua(nginx.conf:48):15: bad argument #2 to 'at' (Lua function expected)
content_by_lua(nginx.conf:48):16: bad argument #2 to 'every' (Lua function expected)
content_by_lua(nginx.conf:48):17: delay cannot be zero
content_by_lua(nginx.conf:48):17: delay cannot be zero
content_by_lua(nginx.conf:48):17: delay cannot be zero
content_by_lua(nginx.conf:48):17: delay cannot be zero
0
--- response_body_filters eval
sub { $_[0] =~ s/nginx\.conf:\d+/nginx.conf:48/gr }



=== TEST 6: every calls again and again, also while earlier calls still run
--- config
    location /t {
        content_by_lua_block {
            local begun, ended, most, go = 0, 0, 0
            ngx.say(ngx.timer.every(0.002, function(premature, word)
                if premature or go then return end
                begun = begun + 1
                most = math.max(most, ngx.timer.running_count())
                repeat ngx.sleep(0.001) until go
                ended = ended + (word == "word" and 1 or 0)
            end, "word"))
            repeat ngx.sleep(0.001) until begun == 5
            ngx.say(most, " ", ended, " ", ngx.timer.pending_count())
            go = true
            repeat ngx.sleep(0.001) until ended == begun
            ngx.say(ngx.timer.running_count())
        }
    }
--- response_body
1
5 0 1
0
--- no_error_log
[error]



=== TEST 7: those that pend and those that run are counted
--- config
    location /t {
        content_by_lua_block {
            local timer = ngx.timer
            local function counts() return timer.pending_count() .. " " .. timer.running_count() end
            ngx.say(counts())
            local go, inside
            timer.at(0, function()
                inside = counts()
                -- What it spawns keeps it running.
                ngx.thread.spawn(function() repeat ngx.sleep(0.001) until go end)
            end)
            timer.at(1000, function() end)
            timer.at(0, function() error("sad") end)
            ngx.say(counts())
            repeat ngx.sleep(0.001) until timer.pending_count() == 1
            ngx.say(inside, ", ", counts())
            go = true
            repeat ngx.sleep(0.001) until timer.running_count() == 0
            ngx.say(counts())
        }
    }
--- response_body
0 0
3 0
2 1, 1 1
1 0



=== TEST 8: lua_max_pending_timers
--- http_config
    lua_max_pending_timers 3;
--- config
    location /t {
        content_by_lua_block {
            local done = 0
            local function f() done = done + 1 end
            for _ = 1, 2 do ngx.timer.at(0, f) end
            ngx.timer.every(100, f)
            ngx.say(ngx.timer.at(0, f))
            ngx.say(ngx.timer.every(1, f))
            repeat ngx.sleep(0.001) until done == 2
            ngx.say(ngx.timer.at(0, f), " ", ngx.timer.pending_count())
        }
    }
--- response_body
niltoo many pending timers
niltoo many pending timers
1 2



=== TEST 9: 1,024 may pend, 256 may run
--- config
    location /t {
        content_by_lua_block {
            local go
            local function f() repeat ngx.sleep(0.01) until go end
            local count = 0
            while ngx.timer.at(100, f) do count = count + 1 end
            ngx.say(count)
        }
    }
    location /run {
        content_by_lua_block {
            local go
            for _ = 1, 258 do ngx.timer.at(0, function() repeat ngx.sleep(0.01) until go end) end
            repeat ngx.sleep(0.001) until ngx.timer.pending_count() == 0
            ngx.say(ngx.timer.running_count())
            go = true
        }
    }
--- request eval
["GET /run", "GET /t"]
--- response_body eval
["256\n", "1024\n"]



=== TEST 10: beyond lua_max_running_timers a call is left out and logged; one that repeats goes on
--- http_config
    lua_max_running_timers 2;
--- config
    location /t {
        content_by_lua_block {
            local go, begun, ticks = false, 0, 0
            local function wait()
                begun = begun + 1
                repeat ngx.sleep(0.001) until go
            end
            for _ = 1, 3 do ngx.timer.at(0, wait) end
            repeat ngx.sleep(0.001) until begun == 2
            ngx.timer.every(0.001, function() ticks = ticks + 1 end)
            ngx.sleep(0.01)
            ngx.say(begun, " ", ngx.timer.pending_count(), " ", ngx.timer.running_count(), " ", ticks)
            go = true
            repeat ngx.sleep(0.001) until ticks > 0
            ngx.say(begun)
        }
    }
--- response_body
2 1 2 0
2
--- error_log eval
qr/\[alert\] .*? lua failed to run timer with function defined at =content_by_lua\(nginx\.conf:\d+\):3: 2 lua_max_running_timers are not enough/



=== TEST 11: timers without a delay that make each other for ever leave others their turn
--- config
    location /t {
        content_by_lua_block {
            local count, stop = 0
            local function again()
                count = count + 1
                if not stop then ngx.timer.at(0, again) end
            end
            again()
            again()
            for _ = 1, 20 do ngx.sleep(0.001) end
            ngx.say(count > 20)
            stop = true
        }
    }
--- response_body
true



=== TEST 12: what a callback may wait for
--- config
    location /t {
        content_by_lua_block {
            local seen = {}
            local function tell(...) seen[#seen + 1] = table.concat({ ... }, " ") end
            ngx.timer.at(0, function()
                ngx.sleep(0.001)
                tell(ngx.get_phase(), ngx.worker.exiting() and "exits" or "goes on")
                local thread = ngx.thread.spawn(function(word) ngx.sleep(0.001) return word end, "thread")
                tell(select(2, ngx.thread.wait(thread)))
                local co = coroutine.wrap(function() ngx.sleep(0.001) coroutine.yield("co") ngx.sleep(0.001) return "routine" end)
                tell(co(), co())
                coroutine.yield()
                ngx.ctx.own = "ctx"
                ngx.sleep(0)
                tell(ngx.ctx.own)
                tell("done")
            end)
            ngx.ctx.own = "the request's"
            repeat ngx.sleep(0.001) until seen[#seen] == "done"
            tell(ngx.ctx.own)
            ngx.say(table.concat(seen, "\n"))
        }
    }
--- response_body
timer goes on
thread
co routine
ctx
done
the request's
--- no_error_log
[error]



=== TEST 13: what needs a request is refused
--- config
    location /t {
        content_by_lua_block {
            local seen
            ngx.timer.at(0, function()
                local told = {}
                for _, call in ipairs {
                    "ngx.var.uri", "ngx.header.x", "ngx.status", "ngx.headers_sent", "ngx.is_subrequest", "ngx.arg[1]",
                    "ngx.req.get_headers()", "ngx.req.get_method()", "ngx.req.get_uri_args()", "ngx.req.set_uri_args('a')",
                    "ngx.req.set_uri('/')", "ngx.req.get_body_data()", "ngx.req.discard_body()", "ngx.resp.get_headers()",
                    "ngx.req.init_body()", "ngx.req.set_header('a', 'b')",
                    "ngx.say('x')", "ngx.print('x')", "ngx.flush()", "ngx.eof()", "ngx.send_headers()", "ngx.exec('/x')",
                    "ngx.redirect('/x')", "ngx.location.capture('/x')", "ngx.req.read_body()", "ngx.on_abort(print)",
                } do
                    local ok, err = pcall(assert(loadstring("return " .. call)))
                    told[#told + 1] = call .. ": " .. tostring(err):gsub('^%[.-%]:1: ', "")
                end
                seen = table.concat(told, "\n")
            end)
            repeat ngx.sleep(0.001) until seen
            ngx.say(seen)
        }
    }
--- response_body
ngx.var.uri: API disabled in the current context
ngx.header.x: API disabled in the current context
ngx.status: API disabled in the current context
ngx.headers_sent: API disabled in the current context
ngx.is_subrequest: API disabled in the current context
ngx.arg[1]: API disabled in the current context
ngx.req.get_headers(): API disabled in the current context
ngx.req.get_method(): API disabled in the current context
ngx.req.get_uri_args(): API disabled in the current context
ngx.req.set_uri_args('a'): API disabled in the current context
ngx.req.set_uri('/'): API disabled in the current context
ngx.req.get_body_data(): API disabled in the current context
ngx.req.discard_body(): API disabled in the current context
ngx.resp.get_headers(): API disabled in the current context
ngx.req.init_body(): API disabled in the current context
ngx.req.set_header('a', 'b'): API disabled in the current context
ngx.say('x'): API disabled in the context of ngx.timer
ngx.print('x'): API disabled in the context of ngx.timer
ngx.flush(): API disabled in the context of ngx.timer
ngx.eof(): API disabled in the context of ngx.timer
ngx.send_headers(): API disabled in the context of ngx.timer
ngx.exec('/x'): API disabled in the context of ngx.timer
ngx.redirect('/x'): API disabled in the context of ngx.timer
ngx.location.capture('/x'): API disabled in the context of ngx.timer
ngx.req.read_body(): API disabled in the context of ngx.timer
ngx.on_abort(print): API disabled in the context of ngx.timer



=== TEST 14: what a callback raises is logged, with the client that it was made for and no frame but its own
--- config
    location /t {
        content_by_lua_block {
            ngx.timer.at(0, function(_, word) error(word) end, "sad")
            ngx.sleep(0.001)
            repeat ngx.sleep(0.001) until ngx.timer.running_count() == 0
            ngx.say("ok")
        }
    }
--- response_body
ok
--- error_log eval
[
    qr/\[error\] .*? lua entry thread aborted: runtime error: content_by_lua\(nginx\.conf:\d+\):2: sad/,
    qr/^\tcontent_by_lua\(nginx\.conf:\d+\):2: in function <content_by_lua\(nginx\.conf:\d+\):2>, context: ngx\.timer, client: 127\.0\.0\.1, server: \S+:\d+$/,
]
--- no_error_log
hotlua:



=== TEST 15: an error ends its light threads; one of a light thread ends that one
--- config
    location /t {
        content_by_lua_block {
            local seen = {}
            ngx.timer.at(0, function()
                ngx.thread.spawn(function() ngx.sleep(0.002) seen[#seen + 1] = "not killed" end)
                error({})
            end)
            ngx.timer.at(0, function()
                ngx.thread.spawn(function() error("sad thread") end)
                ngx.sleep(0.001)
                seen[#seen + 1] = "entry"
            end)
            ngx.timer.at(0.02, function() seen[#seen + 1] = "last" end)
            repeat ngx.sleep(0.001) until seen[#seen] == "last"
            ngx.say(table.concat(seen, " "))
        }
    }
--- response_body
entry last
--- error_log
lua entry thread aborted: runtime error: unknown reason
lua user thread aborted: runtime error: content_by_lua



=== TEST 16: ngx.exit ends a callback and its light threads, whatever the status
--- config
    location /t {
        content_by_lua_block {
            local seen = {}
            for _, status in ipairs { 0, 200, 404, 500, 444, ngx.ERROR } do
                ngx.timer.at(0, function()
                    ngx.thread.spawn(function() ngx.sleep(0.002) seen[#seen + 1] = "not killed" end)
                    seen[#seen + 1] = status
                    ngx.exit(status)
                    seen[#seen + 1] = "goes on"
                end)
            end
            ngx.timer.at(0.02, function() seen[#seen + 1] = "last" end)
            repeat ngx.sleep(0.001) until seen[#seen] == "last"
            ngx.say(table.concat(seen, " "), " ", ngx.timer.running_count())
        }
    }
--- response_body
0 200 404 500 444 -1 last 0
--- no_error_log
[error]



=== TEST 17: it outlives its request, and what it calls is not collected
--- config
    location /t {
        content_by_lua_block {
            shared = {}
            ngx.timer.at(0.01, function(_, t) shared.seen = t.word end, { word = "kept" })
            ngx.say("made")
        }
    }
    location /seen {
        content_by_lua_block {
            collectgarbage()
            collectgarbage()
            repeat ngx.sleep(0.001) until shared.seen
            ngx.say(shared.seen)
        }
    }
--- request eval
["GET /t", "GET /seen"]
--- response_body eval
["made\n", "kept\n"]



=== TEST 18: 20,000 timers
--- http_config
    lua_max_pending_timers 100000;
--- config
    location /t {
        content_by_lua_block {
            local count = 0
            local function f(_, step) count = count + step end
            for i = 1, 20000 do assert(ngx.timer.at(i % 2 / 1000, f, 1)) end
            for i = 1, 20000 do assert(ngx.timer.at(1000 + i, f, 100000)) end
            repeat ngx.sleep(0.001) until count == 20000
            ngx.say(count, " ", ngx.timer.pending_count())
        }
    }
--- response_body
20000 20000
--- no_error_log
[error]



=== TEST 19: a callback that is made anew each time leaves nothing behind
--- config
    location /t {
        content_by_lua_block {
            local function heap() collectgarbage() collectgarbage() return collectgarbage("count") end
            local function round(n)
                local done = 0
                for i = 1, n do ngx.timer.at(0, function(_, t) done = done + 1 ngx.ctx.t = t end, { i }) end
                repeat ngx.sleep(0.001) until done == n
            end
            for _ = 1, 5 do round(1000) end
            local before = heap()
            for _ = 1, 20 do round(1000) end
            local grown = heap() - before
            ngx.say(grown < 50 and "flat" or grown)
        }
    }
--- response_body
flat



=== TEST 20: a number that is none
--- http_config
    lua_max_pending_timers many;
--- config
    location /t { return 200; }
--- must_die
--- error_log
"lua_max_pending_timers" directive invalid number
--- suppress_stderr



=== TEST 21: a number given twice
--- http_config
    lua_max_running_timers 1;
    lua_max_running_timers 2;
--- config
    location /t { return 200; }
--- must_die
--- error_log
"lua_max_running_timers" directive is duplicate
--- suppress_stderr



=== TEST 22: what a location logs its timers log
--- config
    location /t {
        error_log $TEST_NGINX_SERVER_ROOT/logs/timer.log notice;
        content_by_lua_block {
            ngx.timer.at(0, function() ngx.log(ngx.NOTICE, "to the location's log") end)
            repeat ngx.sleep(0.001) until ngx.timer.pending_count() == 0
            for line in io.lines("$TEST_NGINX_SERVER_ROOT/logs/timer.log") do
                if line:find("to the location's log", 1, true) then ngx.say(line:match(", context: .*")) end
            end
        }
    }
--- response_body_like
^, context: ngx.timer, client: 127.0.0.1, server: \S+$
--- no_error_log
to the location's log



=== TEST 23: the directives of the location hold in its timers
--- config
    location /t {
        lua_socket_log_errors off;
        lua_socket_read_timeout 20ms;
        content_by_lua_block {
            local semaphore = require("ngx.semaphore").new()
            local said
            ngx.timer.at(0, function()
                local sock = ngx.socket.tcp()
                said = tostring(select(2, sock:connect("127.0.0.1", 1)))
                assert(sock:connect("127.0.0.1", $TEST_NGINX_SERVER_PORT))
                said = said .. ", " .. tostring(select(2, sock:receive()))
                semaphore:post()
            end)
            semaphore:wait(10)
            ngx.say(said)
        }
    }
--- response_body
connection refused, timeout
--- no_error_log
[error]
