# Lua in a block: what ends it, what stays as it is, where errors are.
use Test::Nginx::Socket 'no_plan';

no_long_string();

run_tests();

__DATA__

=== TEST 1: nothing in it is unescaped or expanded
--- config
    location /t {
        content_by_lua_block { ngx.say("a\tb", '$uri', "\\", [[\n]], "\"", '\'', "#") # no comment of Lua's
        }
    }
--- must_die
--- error_log eval
[qr/failed to load inlined Lua code: content_by_lua\(nginx\.conf:\d+\):1: .* near '#'/]



=== TEST 2: a brace in a string, a comment or a long bracket ends nothing
--- config
    location /t {
        content_by_lua_block {
            -- }
            --[[ } ]] --[==[ ]] } ]==]
            local text = "}" .. '}' .. "\"}" .. [[ } ]] .. [=[ ]] } ]=] .. 'it\'s }'
            local nested = { a = { b = { [ [[}]] ] = 1 } } }
            ngx.say(text, next(nested.a.b))
        }
    }
--- request
GET /t
--- response_body
}}"} }  ]] } it's }}1



=== TEST 3: a quote in a comment opens no string
--- config
    location /t {
        content_by_lua_block {
            -- it's "one
            ngx.say("ok") -- don't
        }
    }
--- request
GET /t
--- response_body
ok



=== TEST 4: several on a line, with and without white space
--- config
    location /t { set_by_lua_block $a{return "}"} rewrite_by_lua_block{ngx.ctx.a="r"}content_by_lua_block {ngx.say(ngx.var.a, ngx.ctx.a)} }
    location /u
    {
        content_by_lua_block
        {
            ngx.say("u") }
    }
--- pipelined_requests eval
["GET /t", "GET /u"]
--- response_body eval
["}r\n", "u\n"]



=== TEST 5: one of nothing, and one of white space
--- config
    location /t {
        rewrite_by_lua_block {}
        access_by_lua_block {

        }
        content_by_lua_block { ngx.say("ok") }
    }
--- request
GET /t
--- response_body
ok



=== TEST 6: one that is larger than nginx reads at a time
--- config eval
my $long = 'x' x 5000;
qq~
    location /t {
        content_by_lua_block {
            local t = "$long"
            -- $long }
            local u = [[$long}
            ]]
            ngx.say(#t, " ", #u)
        }
    }
    location /u { content_by_lua_block { ngx.say("u") } }
~
--- pipelined_requests eval
["GET /t", "GET /u"]
--- response_body eval
["5000 5014\n", "u\n"]



=== TEST 7: lines count from the directive's
--- config
    location /t {
        content_by_lua_block {
            local x = [[
            ]]
            error("here")
        }
    }
--- request
GET /t
--- error_code: 500
--- error_log eval
[qr/content_by_lua\(nginx\.conf:\d+\):4: here/]



=== TEST 8: in a file that is included
--- config
    include $TEST_NGINX_SERVER_ROOT/html/part.conf;
    location /u { content_by_lua_block { ngx.say("u") } }
--- user_files
>>> part.conf
location /t {
    content_by_lua_block {
        ngx.say("t }") ngx.log(ngx.NOTICE, debug.traceback())
    }
}
--- request
GET /t
--- response_body
t }
--- error_log
content_by_lua(part.conf:2):2



=== TEST 9: a long string that nothing closes
--- config
    location /t { content_by_lua_block { ngx.say([==[ ]] } ]=]) } }
--- must_die
--- error_log eval
[qr/\[emerg\].* Lua code block missing the closing long bracket "\]==\]", the inlined Lua code may be too long in the block of "content_by_lua_block" that begins in line \d+ in \S+nginx\.conf:\d+/]



=== TEST 10: a comment that nothing closes
--- config
    location /t { content_by_lua_block { --[[ ngx.say("x") } }
--- must_die
--- error_log
Lua code block missing the closing long bracket "]]"



=== TEST 11: a block that nothing ends
--- config
    location /t {
        content_by_lua_block { local t = { { { { { { {
    }
--- must_die
--- error_log eval
[qr/unexpected end of file, expecting terminating characters for lua code block: \d+ "\}" missing in the block of "content_by_lua_block"/]



=== TEST 12: an argument where a block is wanted
--- config
    location /t { content_by_lua_block "ngx.say(1)"; }
--- must_die
--- error_log eval
[qr/directive "content_by_lua_block" has no opening "\{"|invalid number of arguments/]



=== TEST 13: twice, also in the two forms
--- config
    location /t { rewrite_by_lua_block { } rewrite_by_lua ''; }
--- must_die
--- error_log
"rewrite_by_lua" directive is duplicate in
