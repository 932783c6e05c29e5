# Calls that there are not, and configurations that nginx refuses.
use Test::Nginx::Socket 'no_plan';

no_long_string();

add_block_preprocessor(sub {
    my $block = shift;
    $block->set_value(no_error_log => "[error]\n[alert]\n[emerg]")
        if !defined $block->no_error_log && !defined $block->must_die;
});

no_shuffle();
run_tests();

__DATA__

=== TEST 1: an unknown call names the known ones
--- config
    location /hotlua/ { hotlua_control; }
--- request eval
["GET /hotlua/none", "POST /hotlua/none", "GET /hotlua/", "GET /hotlua/Status", "GET /hotlua/status/x", "GET /hotlua/%22%0A"]
--- error_code eval
[404, 404, 404, 404, 404, 404]
--- response_headers eval
[("Content-Type: application/json\nCache-Control: no-store") x 6]
--- response_body_like eval
my $calls = qr/the calls are (?=.*GET modules)(?=.*POST invalidate)(?=.*GET status)[\w ,]+"\}\n\z/;
[map { qr/\A\{"error":"there is no call \\"\Q$_\E\\"; $calls/ } 'none', 'none', '', 'Status', 'status/x', '\\\\\"\\\\n']



=== TEST 2: a wrong method names the right one
--- config
    location /hotlua/ { hotlua_control; }
--- request eval
["POST /hotlua/status", "DELETE /hotlua/modules", "OPTIONS /hotlua/generations", "GET /hotlua/invalidate"]
--- error_code eval
[405, 405, 405, 405]
--- response_headers eval
["Allow: GET, HEAD", "Allow: GET, HEAD", "Allow: GET, HEAD", "Allow: POST"]
--- response_body eval
[qq({"error":"the method of \\"status\\" is GET, HEAD, not \\"POST\\""}\n),
 qq({"error":"the method of \\"modules\\" is GET, HEAD, not \\"DELETE\\""}\n),
 qq({"error":"the method of \\"generations\\" is GET, HEAD, not \\"OPTIONS\\""}\n),
 qq({"error":"the method of \\"invalidate\\" is POST, not \\"GET\\""}\n)]



=== TEST 3: what takes no arguments says so
--- config
    location /hotlua/ { hotlua_control; }
--- request eval
["GET /hotlua/status?x=1", "GET /hotlua/modules?module=a", "GET /hotlua/generations?%zz", "HEAD /hotlua/status?x"]
--- error_code eval
[400, 400, 400, 400]
--- response_body_like eval
['no argument \\\\"x\\\\"; it takes none', 'it takes none', 'bad percent-encoding', '\A\z']



=== TEST 4: an empty query is none
--- config
    location /hotlua/ { hotlua_control; }
--- request
GET /hotlua/status?



=== TEST 5: hotlua_control behind Lua
--- config
    location /hotlua/ { content_by_lua_block { ngx.say("x") } hotlua_control; }
--- must_die
--- error_log
"hotlua_control" makes a duplicate content handler: the location has "content_by_lua" already



=== TEST 6: Lua behind hotlua_control
--- config
    location /hotlua/ { hotlua_control; content_by_lua_file html/x.lua; }
--- must_die
--- error_log
"content_by_lua_file" makes a duplicate content handler: the location has "hotlua_control" already



=== TEST 7: hotlua_control twice
--- config
    location /hotlua/ { hotlua_control; hotlua_control; }
--- must_die
--- error_log
"hotlua_control" directive is duplicate



=== TEST 8: hotlua_control takes no argument
--- config
    location /hotlua/ { hotlua_control on; }
--- must_die
--- error_log
invalid number of arguments in "hotlua_control" directive



=== TEST 9: hotlua_control stands in a location
--- config
    hotlua_control;
--- must_die
--- error_log
"hotlua_control" directive is not allowed here



=== TEST 10: Lua beside, inside and around
--- config
    location /hotlua/ {
        hotlua_control;
        location /hotlua/lua { content_by_lua_block { ngx.say("inside") } }
    }
    location /lua/ {
        content_by_lua_block { ngx.say("around") }
        location /lua/hotlua/ { hotlua_control; }
    }
--- request eval
["GET /hotlua/status", "GET /hotlua/lua", "GET /lua/x", "GET /lua/hotlua/status", "GET /lua/hotlua/x"]
--- error_code eval
[200, 200, 200, 200, 404]
--- response_body_like eval
['^\{"generation":', '^inside$', '^around$', '^\{"generation":', '^\{"error":']
