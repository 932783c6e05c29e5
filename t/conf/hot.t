# The directives of hot loading: what nginx -t takes, and what it says of what it does not.
use Test::Nginx::Socket 'no_plan';

no_long_string();
$ENV{TEST_NGINX_HTML_DIR} ||= html_dir();

add_block_preprocessor(sub {
    my $block = shift;
    # So that the zone and the workers are made as well.
    $block->set_value(config => '    location = /t { content_by_lua_block { ngx.say("ok") } }') if !defined $block->config;
    return if defined $block->must_die;
    $block->set_value(request => 'GET /t') if !defined $block->request;
    $block->set_value(response_body => "ok\n") if !defined $block->response_body_like;
    $block->set_value(no_error_log => "[warn]\n[error]\n[alert]\n[emerg]");
});

no_shuffle();
run_tests();

__DATA__

=== TEST 1: all of them
--- http_config
    hotlua_root $TEST_NGINX_HTML_DIR;
    hotlua_zone 16m;
    hotlua_watch on;
    hotlua_settle 100ms;
    hotlua_keep 5;
    hotlua_prepare compile;
    hotlua_prepare_timeout 5s;
    hotlua_check $TEST_NGINX_HTML_DIR/check.lua;
--- user_files
>>> check.lua
error("it is compiled and not run")



=== TEST 2: the smallest values
--- http_config
    hotlua_zone 1m;
    hotlua_watch off;
    hotlua_settle 1ms;
    hotlua_keep 0;
    hotlua_prepare eager;
    hotlua_prepare_timeout 100ms;
    hotlua_check html/empty.lua;
--- user_files eval
">>> empty.lua\n"



=== TEST 3: the largest values
--- http_config
    hotlua_settle 1h;
    hotlua_keep 64;
    hotlua_prepare_timeout 3600;



=== TEST 4: watch is on or off
--- http_config
    hotlua_watch yes;
--- must_die
--- error_log eval
[qr/\[emerg\].* invalid value "yes" in "hotlua_watch", it must be "on" or "off" in \S+nginx\.conf:\d+/]



=== TEST 5: watch twice
--- http_config
    hotlua_watch on;
    hotlua_watch off;
--- must_die
--- error_log
"hotlua_watch" directive is duplicate in



=== TEST 6: watch in a server
--- config
    hotlua_watch on;
--- must_die
--- error_log
"hotlua_watch" directive is not allowed here



=== TEST 7: settle is a time
--- http_config
    hotlua_settle soon;
--- must_die
--- error_log eval
[qr/\[emerg\].* invalid time "soon" in "hotlua_settle", write for instance 50ms in \S+nginx\.conf:\d+/]



=== TEST 8: settle is not negative
--- http_config
    hotlua_settle -1ms;
--- must_die
--- error_log
invalid time "-1ms" in "hotlua_settle", write for instance 50ms



=== TEST 9: settle is not empty
--- http_config
    hotlua_settle "";
--- must_die
--- error_log
invalid time "" in "hotlua_settle", write for instance 50ms



=== TEST 10: settle has an end
--- http_config
    hotlua_settle 99999999999999999999ms;
--- must_die
--- error_log
invalid time "99999999999999999999ms" in "hotlua_settle"



=== TEST 11: no settle
--- http_config
    hotlua_settle 0;
--- must_die
--- error_log
"hotlua_settle 0" is too short, it must be at least 1ms



=== TEST 12: a long settle
--- http_config
    hotlua_settle 60m1ms;
--- must_die
--- error_log
"hotlua_settle 60m1ms" is too long, it must be at most 1h



=== TEST 13: settle twice
--- http_config
    hotlua_settle 1s;
    hotlua_settle 1s;
--- must_die
--- error_log
"hotlua_settle" directive is duplicate in



=== TEST 14: settle in a location
--- config
    location = /t { hotlua_settle 1s; }
--- must_die
--- error_log
"hotlua_settle" directive is not allowed here



=== TEST 15: keep is a number
--- http_config
    hotlua_keep all;
--- must_die
--- error_log eval
[qr/\[emerg\].* invalid number "all" in "hotlua_keep", write one from 0 to 64, for instance 3 in \S+nginx\.conf:\d+/]



=== TEST 16: keep is at most 64
--- http_config
    hotlua_keep 65;
--- must_die
--- error_log
invalid number "65" in "hotlua_keep", write one from 0 to 64



=== TEST 17: keep is not negative
--- http_config
    hotlua_keep -1;
--- must_die
--- error_log
invalid number "-1" in "hotlua_keep", write one from 0 to 64



=== TEST 18: keep is whole
--- http_config
    hotlua_keep 1.5;
--- must_die
--- error_log
invalid number "1.5" in "hotlua_keep", write one from 0 to 64



=== TEST 19: keep is not empty
--- http_config
    hotlua_keep "";
--- must_die
--- error_log
invalid number "" in "hotlua_keep", write one from 0 to 64



=== TEST 20: keep has an end
--- http_config
    hotlua_keep 99999999999999999999;
--- must_die
--- error_log
invalid number "99999999999999999999" in "hotlua_keep", write one from 0 to 64



=== TEST 21: keep twice
--- http_config
    hotlua_keep 1;
    hotlua_keep 1;
--- must_die
--- error_log
"hotlua_keep" directive is duplicate in



=== TEST 22: keep takes one number
--- http_config
    hotlua_keep 1 2;
--- must_die
--- error_log
invalid number of arguments in "hotlua_keep" directive



=== TEST 23: prepare is one of two
--- http_config
    hotlua_prepare lazy;
--- must_die
--- error_log eval
[qr/\[emerg\].* invalid value "lazy" in "hotlua_prepare", it must be "eager" or "compile" in \S+nginx\.conf:\d+/]



=== TEST 24: prepare twice
--- http_config
    hotlua_prepare eager;
    hotlua_prepare eager;
--- must_die
--- error_log
"hotlua_prepare" directive is duplicate in



=== TEST 25: prepare_timeout is a time
--- http_config
    hotlua_prepare_timeout 10x;
--- must_die
--- error_log eval
[qr/\[emerg\].* invalid time "10x" in "hotlua_prepare_timeout", write for instance 10s in \S+nginx\.conf:\d+/]



=== TEST 26: a short prepare_timeout
--- http_config
    hotlua_prepare_timeout 99ms;
--- must_die
--- error_log
"hotlua_prepare_timeout 99ms" is too short, it must be at least 100ms



=== TEST 27: a long prepare_timeout
--- http_config
    hotlua_prepare_timeout 2h;
--- must_die
--- error_log
"hotlua_prepare_timeout 2h" is too long, it must be at most 1h



=== TEST 28: prepare_timeout twice
--- http_config
    hotlua_prepare_timeout 1s;
    hotlua_prepare_timeout 1s;
--- must_die
--- error_log
"hotlua_prepare_timeout" directive is duplicate in



=== TEST 29: no check
--- http_config
    hotlua_check "";
--- must_die
--- error_log
"hotlua_check" needs the path of a Lua file in



=== TEST 30: a check that is not there
--- http_config
    hotlua_check html/none.lua;
--- must_die
--- error_log eval
[qr{\[emerg\].* the Lua file "\S+/html/none\.lua" of "hotlua_check" does not exist in \S+nginx\.conf:\d+}]



=== TEST 31: a check that is a directory
--- http_config
    hotlua_check $TEST_NGINX_HTML_DIR;
--- must_die
--- error_log eval
[qr{the Lua file "\S+/html" of "hotlua_check" is a directory}]



=== TEST 32: a check that is a device
--- http_config
    hotlua_check /dev/zero;
--- must_die
--- error_log
the Lua file "/dev/zero" of "hotlua_check" is a device



=== TEST 33: a check that does not compile
--- http_config
    hotlua_check html/check.lua;
--- user_files
>>> check.lua
local version = 1
local = version
--- must_die
--- error_log eval
[qr{\[emerg\].* the Lua file "\S+/html/check\.lua" of "hotlua_check" does not compile: \S*check\.lua:2: .+ in \S+nginx\.conf:\d+}]



=== TEST 34: a check that was compiled before
--- http_config
    hotlua_check html/check.lua;
--- user_files eval
">>> check.lua\n\eLJ\2\n"
--- must_die
--- error_log
of "hotlua_check" does not compile: 



=== TEST 35: check twice
--- http_config
    hotlua_check html/check.lua;
    hotlua_check html/check.lua;
--- user_files
>>> check.lua
return
--- must_die
--- error_log
"hotlua_check" directive is duplicate in



=== TEST 36: roots may be given twice, and one inside of another
--- http_config
    hotlua_root html html/ $TEST_NGINX_HTML_DIR/./ html/inner;
--- config
    location = /t { content_by_lua_file html/inner/ok.lua; }
--- user_files
>>> inner/ok.lua
ngx.say("ok")



=== TEST 37: the same one stands once in the status
--- http_config
    hotlua_root html html/ $TEST_NGINX_HTML_DIR/./ html/inner;
--- config
    location = /t { content_by_lua_block { ngx.say("ok") } }
    location = /status { hotlua_control; }
--- user_files
>>> inner/ok.lua
ngx.say("ok")
--- request
GET /status
--- response_body_like: "roots":\["[^",]+/html","[^",]+/html/inner"\]



=== TEST 38: a root that is not there
--- http_config
    hotlua_root html/none;
--- must_die
--- error_log eval
[qr{\[emerg\].* hotlua_root "\S+/html/none" cannot be used: No such file or directory .*in \S+nginx\.conf:\d+}]



=== TEST 39: a root that is a file
--- http_config
    hotlua_root html/index.html;
--- must_die
--- error_log eval
[qr{\[emerg\].* hotlua_root "\S+/html/index\.html" is not a directory, write the one that holds it in \S+nginx\.conf:\d+}]



=== TEST 40: a root below a file
--- http_config
    hotlua_root html/index.html/lua;
--- must_die
--- error_log eval
[qr{hotlua_root "\S+/html/index\.html/lua" cannot be used: Not a directory}]



=== TEST 41: an empty root
--- http_config
    hotlua_root html "";
--- must_die
--- error_log
"hotlua_root" needs the path of a directory in



=== TEST 42: one good root and one bad
--- http_config
    hotlua_root html html/none;
--- must_die
--- error_log eval
[qr{hotlua_root "\S+/html/none" cannot be used}]



=== TEST 43: root twice
--- http_config
    hotlua_root html;
    hotlua_root html;
--- must_die
--- error_log
"hotlua_root" directive is duplicate in



=== TEST 44: zone is a size
--- http_config
    hotlua_zone large;
--- must_die
--- error_log eval
[qr/\[emerg\].* invalid size "large" in "hotlua_zone", write for instance 32m in \S+nginx\.conf:\d+/]



=== TEST 45: a small zone
--- http_config
    hotlua_zone 1000k;
--- must_die
--- error_log
"hotlua_zone 1000k" is too small, it must be at least 1m



=== TEST 46: zone twice
--- http_config
    hotlua_zone 1m;
    hotlua_zone 1m;
--- must_die
--- error_log
"hotlua_zone" directive is duplicate in
