# The calls that tell something, and the kinds of location that they may be in.
use Test::Nginx::Socket 'no_plan';

no_long_string();

add_block_preprocessor(sub {
    my $block = shift;
    $block->set_value(no_error_log => "[error]\n[alert]\n[emerg]") if !defined $block->no_error_log;
});

our $status = '\A\{"generation":\d+,"candidate":(?:null|\d+),"workers":\[.*\],"roots":\[.*\],'
    . '"zone":\{"size":\d+,"used":\d+\},"last_error":(?:null|".*"),"sandbox":\[\]\}\n\z';

no_shuffle();
run_tests();

__DATA__

=== TEST 1: the status
--- config
    location /hotlua/ { hotlua_control; }
--- request
GET /hotlua/status
--- response_headers
Content-Type: application/json
Cache-Control: no-store
--- response_body_like eval
$::status



=== TEST 2: modules and generations are lists
--- config
    location /hotlua/ { hotlua_control; }
--- request eval
["GET /hotlua/modules", "GET /hotlua/generations"]
--- response_headers eval
my $headers = "Content-Type: application/json\nCache-Control: no-store";
[$headers, $headers]
--- response_body_like eval
['\A\[.*\]\n\z', '\A\[.*\]\n\z']



=== TEST 3: HEAD has the same header and no body
--- config
    location /hotlua/ { hotlua_control; }
--- request eval
["HEAD /hotlua/status", "HEAD /hotlua/modules", "HEAD /hotlua/generations"]
--- response_headers_like eval
my $headers = "Content-Type: application/json\nCache-Control: no-store\nContent-Length: \\d+";
[$headers, $headers, $headers]
--- response_body eval
["", "", ""]



=== TEST 4: the length is told and the connection kept
--- config
    location /hotlua/ { hotlua_control; }
--- pipelined_requests eval
["GET /hotlua/status", "GET /hotlua/none", "GET /hotlua/status"]
--- error_code eval
[200, 404, 200]
--- response_headers_like eval
my $headers = 'Content-Length: \d+';
[$headers, $headers, $headers]



=== TEST 5: any kind of location
--- config
    location /slash/ { hotlua_control; }
    location /none { hotlua_control; }
    location = /exact/status { hotlua_control; }
    location ~ ^/regex/ { hotlua_control; }
    location = /named { try_files /no.such.file @named; }
    location @named { hotlua_control; }
    location /nested/ {
        location /nested/deep/ { hotlua_control; }
    }
--- request eval
["GET /slash/status", "GET /none/status", "GET /exact/status", "GET /regex/any/status", "GET /nested/deep/status",
 "GET /slash/deep/status", "GET /nonestatus", "GET /none", "GET /slash/status/", "GET /named"]
--- error_code eval
[200, 200, 200, 200, 200, 404, 404, 404, 404, 404]



=== TEST 6: a whole server
--- http_config
    server {
        listen 127.0.0.1:$TEST_NGINX_RAND_PORT_1;
        location / { hotlua_control; }
    }
--- config
    location = /t { proxy_pass http://127.0.0.1:$TEST_NGINX_RAND_PORT_1/status; }
--- request
GET /t
--- response_body_like eval
$::status



=== TEST 7: blocks inside of the location serve it too, other locations do not
--- config
    location /hotlua/ {
        hotlua_control;
        if ($arg_) { set $x y; }
        limit_except POST { allow all; }
        location /hotlua/other/ { return 200 "other\n"; }
        location /hotlua/files/ { root html; }
    }
    location /if/ {
        hotlua_control;
        if ($http_x_tested) { set $x y; }
    }
--- request eval
["GET /hotlua/status", "GET /hotlua/other/status", "GET /hotlua/files/status", "GET /if/status"]
--- more_headers
X-Tested: 1
--- error_code eval
[200, 200, 404, 200]
--- response_body_like eval
[$::status, '^other$', '404 Not Found', $::status]
--- no_error_log
[alert]
[emerg]



=== TEST 8: limit_except limits and leaves the answer to the location
--- config
    location /hotlua/ {
        hotlua_control;
        limit_except GET { deny all; }
    }
--- request eval
["GET /hotlua/status", "POST /hotlua/invalidate?all=1"]
--- error_code eval
[200, 403]
--- response_body_like eval
[$::status, '403 Forbidden']
--- no_error_log
[alert]
[emerg]



=== TEST 9: nginx's own pages do not replace an answer
--- config
    location /hotlua/ { hotlua_control; error_page 404 405 /page; }
    location = /page { return 200 "page\n"; }
--- request
GET /hotlua/none
--- error_code: 404
--- response_body_like: ^\{"error":"there is no call



=== TEST 10: an answer that is an error page keeps its status
--- config
    location /hotlua/ { hotlua_control; }
    location = /t { error_page 418 /hotlua/status; return 418; }
--- request
GET /t
--- response_body_like eval
$::status
