# Lua as a quoted argument: what nginx unescapes, what it leaves, where errors are.
use Test::Nginx::Socket 'no_plan';

no_long_string();

run_tests();

__DATA__

=== TEST 1: single quotes and double quotes
--- config
    location /single { content_by_lua 'ngx.say("it is ", [[ok]])'; }
    location /double { content_by_lua "ngx.say('it is ', [[ok]])"; }
--- pipelined_requests eval
["GET /single", "GET /double"]
--- response_body eval
["it is ok\n", "it is ok\n"]



=== TEST 2: nginx makes a newline, a tab and a carriage return of their escapes before Lua sees them
--- config
    location /t { content_by_lua 'ngx.say(#[[a\nb]], #[[a\tb]], #[[a\rb]], ([[a\nb]]):byte(2))'; }
--- request
GET /t
--- response_body
33310



=== TEST 3: a backslash is one of two, and a quote is escaped by one
--- config
    location /single { content_by_lua 'ngx.say("a\\nb", \'c\')'; }
    location /double { content_by_lua "ngx.say(\"a\\nb\", 'c\\'d')"; }
--- pipelined_requests eval
["GET /single", "GET /double"]
--- response_body eval
["a\nbc\n", "a\nbc'd\n"]



=== TEST 4: other escapes are left to Lua
--- config
    location /t { content_by_lua 'ngx.say("\065\x42\z
        C")'; }
--- request
GET /t
--- response_body
ABC



=== TEST 5: variables, braces and semicolons are kept
--- config
    location /t { content_by_lua 'local t = { a = "$uri ${uri}"; }; if t.a then ngx.say(t.a, "}{;#") end'; }
--- request
GET /t
--- response_body
$uri ${uri}}{;#



=== TEST 6: an argument without quotes
--- config
    location /t { content_by_lua ngx.say(42); }
--- request
GET /t
--- response_body
42



=== TEST 7: an empty one does nothing
--- config
    location /t {
        rewrite_by_lua '';
        content_by_lua '-- nothing here';
    }
--- request
GET /t
--- response_body



=== TEST 8: a line that Lua raises in is counted from the argument's first
--- config
    location /t {
        content_by_lua '
            local x = nil
            local y = x.field
        ';
    }
--- request
GET /t
--- error_code: 500
--- error_log eval
[qr/content_by_lua\(nginx\.conf:\d+\):3: attempt to index local 'x' \(a nil value\)/]



=== TEST 9: Lua that does not compile
--- config
    location /t { content_by_lua 'this is no Lua'; }
--- must_die
--- error_log eval
[qr/\[emerg\].* failed to load inlined Lua code: content_by_lua\(nginx\.conf:\d+\):1: .* near 'is' in \S+nginx\.conf:\d+/]



=== TEST 10: two arguments
--- config
    location /t { content_by_lua 'ngx.say(1)' 'ngx.say(2)'; }
--- must_die
--- error_log
invalid number of arguments in "content_by_lua" directive



=== TEST 11: every phase that has the old form
--- http_config
    init_by_lua 'init = "init"';
    init_worker_by_lua 'init = init .. " worker"';
--- config
    location /t {
        set_by_lua $set 'return "set"';
        rewrite_by_lua 'ngx.ctx.seen = init .. " " .. ngx.var.set .. " rewrite"';
        access_by_lua 'ngx.ctx.seen = ngx.ctx.seen .. " access"';
        content_by_lua 'ngx.say(ngx.ctx.seen)';
        header_filter_by_lua 'ngx.header.X_Filter = "header"';
        body_filter_by_lua 'ngx.arg[1] = ngx.arg[1]:upper()';
        log_by_lua 'ngx.log(ngx.NOTICE, "log: ", ngx.ctx.seen)';
    }
--- request
GET /t
--- response_headers
X-Filter: header
--- response_body
INIT WORKER SET REWRITE ACCESS
--- error_log
log: init worker set rewrite access
