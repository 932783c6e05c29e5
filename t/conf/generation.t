# $hotlua_generation: the generation that a request is pinned to, and nothing where it runs no Lua.
use Test::Nginx::Socket 'no_plan';

no_long_string();
log_level('info');

add_block_preprocessor(sub {
    my $block = shift;
    $block->set_value(http_config => <<'CONF' . ($block->http_config // ''));
    log_format generation '$uri is on "$hotlua_generation" and answers $status';
    access_log $TEST_NGINX_SERVER_ROOT/logs/access.log generation;
CONF
    $block->set_value(request => 'GET /t') if !defined $block->request;
    $block->set_value(no_error_log => "[alert]\n[emerg]") 
        if !defined $block->must_die && !defined $block->no_error_log;
});

no_shuffle();
run_tests();

__DATA__

=== TEST 1: in a header, a log and Lua
--- config
    location = /t {
        add_header X-Generation $hotlua_generation;
        content_by_lua_block { ngx.say("generation ", ngx.var.hotlua_generation) }
    }
--- response_headers_like
X-Generation: [1-9]\d*
--- response_body_like: ^generation [1-9]\d*$
--- access_log eval
[qr{/t is on "[1-9]\d*" and answers 200}]



=== TEST 2: a request without Lua
--- config
    location = /t { add_header X-Generation "[$hotlua_generation]"; return 200 "plain\n"; }
    location = /lua { content_by_lua_block { ngx.say("lua") } }
--- response_headers
X-Generation: []
--- response_body
plain
--- access_log
/t is on "-" and answers 200



=== TEST 3: a configuration without Lua
--- config
    location = /t { return 200 "plain\n"; }
--- response_body
plain
--- access_log
/t is on "-" and answers 200



=== TEST 4: before and after the first Lua
--- config
    location = /t {
        set $before "[$hotlua_generation]";
        add_header X-Before $before;
        add_header X-After "[$hotlua_generation]";
        content_by_lua_block { ngx.say("lua") }
    }
--- response_headers_like
X-Before: \[\]
X-After: \[[1-9]\d*\]
--- response_body
lua



=== TEST 5: a redirect inside nginx behind Lua, to what runs none
--- config
    location = /t {
        error_page 404 = /page;
        content_by_lua_block { ngx.exit(404) }
    }
    location = /page { add_header X-Generation $hotlua_generation; return 200 "page\n"; }
--- response_headers_like
X-Generation: [1-9]\d*
--- response_body
page
--- access_log eval
[qr{/page is on "[1-9]\d*" and answers 200}]



=== TEST 6: a redirect inside nginx between two that run Lua
--- config
    location = /t {
        error_page 404 = /page;
        content_by_lua_block { ngx.exit(404) }
    }
    location = /page {
        add_header X-Generation $hotlua_generation always;
        content_by_lua_block { ngx.say(ngx.var.hotlua_generation) }
    }
--- error_code: 404
--- response_headers_like
X-Generation: [1-9]\d*
--- response_body_like: ^[1-9]\d*$



=== TEST 7: a redirect inside nginx to Lua
--- config
    location = /t { try_files /none /lua; }
    location = /lua { content_by_lua_block { ngx.say("lua") } }
--- response_body
lua
--- access_log eval
[qr{/lua is on "[1-9]\d*" and answers 200}]



=== TEST 8: a subrequest pins its main request
--- config
    location = /t { auth_request /lua; add_header X-Generation $hotlua_generation; alias $TEST_NGINX_SERVER_ROOT/html/ok; }
    location = /lua { content_by_lua_block { ngx.exit(200) } }
--- user_files
>>> ok
ok
--- response_headers_like
X-Generation: [1-9]\d*
--- response_body
ok



=== TEST 9: Lua that raises
--- config
    location = /t { content_by_lua_block { error("no") } }
--- error_code: 500
--- access_log eval
[qr{/t is on "[1-9]\d*" and answers 500}]



=== TEST 10: without the code cache there are no generations
--- config
    location = /t {
        lua_code_cache off;
        content_by_lua_block { ngx.say(ngx.var.hotlua_generation) }
    }
--- response_body
nil
--- no_error_log
[emerg]
--- access_log
/t is on "-" and answers 200



=== TEST 11: requests of one connection
--- config
    location = /t { content_by_lua_block { ngx.say(ngx.var.hotlua_generation) } }
    location = /plain { return 200 "[$hotlua_generation]\n"; }
--- pipelined_requests eval
["GET /t", "GET /plain", "GET /t"]
--- response_body_like eval
['^[1-9]\d*$', '^\[\]$', '^[1-9]\d*$']



=== TEST 12: Lua cannot change it
--- config
    location = /t {
        content_by_lua_block {
            local ok, why = pcall(function() ngx.var.hotlua_generation = 1 end)
            ngx.say(ok, " ", why)
        }
    }
--- response_body_like: ^false .*"hotlua_generation" not changeable



=== TEST 13: neither can the configuration
--- config
    set $hotlua_generation 1;
    location = /t { content_by_lua_block { ngx.say("lua") } }
--- must_die
--- error_log
the duplicate "hotlua_generation" variable in
