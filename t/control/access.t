# Who may call: peers of this host or holders of the token, and what may not change anything.
use Test::Nginx::Socket 'no_plan';

no_long_string();
$ENV{TEST_NGINX_HTML_DIR} ||= html_dir();

add_block_preprocessor(sub {
    my $block = shift;
    $block->set_value(no_error_log => "[alert]\n[emerg]") if !defined $block->no_error_log && !defined $block->must_die;
    $block->set_value(request => 'GET /t') if !defined $block->request;
});

no_shuffle();
run_tests();

__DATA__

=== TEST 1: without a token this host is answered
--- config
    location /hotlua/ { hotlua_control; }
--- request
GET /hotlua/status
--- response_body_like: ^\{"generation":



=== TEST 2: and no other
--- config
    set_real_ip_from 127.0.0.1;
    location /hotlua/ { hotlua_control; }
--- request eval
["GET /hotlua/status", "POST /hotlua/invalidate?all=1", "GET /hotlua/none", "GET /hotlua/"]
--- more_headers
X-Real-IP: 192.0.2.1
--- error_code eval
[403, 403, 403, 403]
--- response_body eval
my $body = qq({"error":"without a token only clients of this host are answered"}\n);
[$body, $body, $body, $body]
--- response_headers eval
my $headers = "Content-Type: application/json\nCache-Control: no-store\n!WWW-Authenticate";
[$headers, $headers, $headers, $headers]
--- error_log
control call refused: without a token only clients of this host are answered



=== TEST 3: the loopback network and IPv6's loopback address are this host
--- config
    set_real_ip_from 127.0.0.1;
    location /hotlua/ { hotlua_control; }
--- request eval
["GET /hotlua/status", "GET /hotlua/status", "GET /hotlua/status", "GET /hotlua/status"]
--- more_headers eval
["X-Real-IP: 127.8.9.1\n", "X-Real-IP: ::1\n", "X-Real-IP: ::2\n", "X-Real-IP: 128.0.0.1\n"]
--- error_code eval
[200, 200, 403, 403]



=== TEST 4: a peer of a unix socket is answered
--- http_config
    server {
        listen unix:$TEST_NGINX_HTML_DIR/control.sock;
        location /hotlua/ { hotlua_control; }
    }
--- config
    location = /t { proxy_pass http://unix:$TEST_NGINX_HTML_DIR/control.sock:/hotlua/status; }
--- response_body_like: ^\{"generation":



=== TEST 5: a token is asked for, of this host too
--- config
    location /hotlua/ { hotlua_control; hotlua_control_token $TEST_NGINX_HTML_DIR/token; }
--- user_files
>>> token
s3cret
--- request eval
["GET /hotlua/status", "POST /hotlua/invalidate?all=1", "GET /hotlua/none"]
--- error_code eval
[401, 401, 401]
--- response_body eval
my $body = qq({"error":"the call needs the header \\"Authorization: Bearer TOKEN\\""}\n);
[$body, $body, $body]
--- response_headers eval
my $headers = "WWW-Authenticate: Bearer\nContent-Type: application/json\nCache-Control: no-store";
[$headers, $headers, $headers]



=== TEST 6: it must be the right one
--- config
    location /hotlua/ { hotlua_control; hotlua_control_token $TEST_NGINX_HTML_DIR/token; }
--- user_files
>>> token
s3cret
--- request eval
[("GET /hotlua/status") x 9]
--- more_headers eval
["Authorization: Bearer s3cret\n", "authorization: bearer s3cret\n", "Authorization: Bearer   s3cret\n",
 "Authorization: Bearer s3cre\n", "Authorization: Bearer s3crets\n", "Authorization: Bearer S3CRET\n",
 "Authorization: Basic s3cret\n", "Authorization: s3cret\n", "Authorization: Bearer\n"]
--- error_code eval
[200, 200, 200, 401, 401, 401, 401, 401, 401]



=== TEST 7: with it any client is answered
--- config
    set_real_ip_from 127.0.0.1;
    location /hotlua/ { hotlua_control; hotlua_control_token $TEST_NGINX_HTML_DIR/token; }
--- user_files
>>> token
s3cret
--- request eval
["GET /hotlua/status", "GET /hotlua/status"]
--- more_headers eval
["X-Real-IP: 192.0.2.1\nAuthorization: Bearer s3cret\n", "X-Real-IP: 192.0.2.1\n"]
--- error_code eval
[200, 401]



=== TEST 8: the token is inherited, and may be another one inside
--- http_config
    hotlua_control_token $TEST_NGINX_HTML_DIR/token;
--- config
    location /hotlua/ { hotlua_control; }
    location /inner/ { hotlua_control; hotlua_control_token $TEST_NGINX_HTML_DIR/inner; }
--- user_files
>>> token
outer
>>> inner
inner
--- request eval
["GET /hotlua/status", "GET /hotlua/status", "GET /inner/status", "GET /inner/status"]
--- more_headers eval
["Authorization: Bearer outer\n", "Authorization: Bearer inner\n",
 "Authorization: Bearer outer\n", "Authorization: Bearer inner\n"]
--- error_code eval
[200, 401, 401, 200]



=== TEST 9: a changing call from another origin
--- config
    location /hotlua/ { hotlua_control; }
--- request eval
[("POST /hotlua/invalidate?module=no.such.module") x 5]
--- more_headers eval
["Origin: http://evil.example\n", "Origin: null\n", "Origin: http://localhost:3000\n",
 "Origin: http://localhost.evil.example\n", "Origin: file://\n"]
--- error_code eval
[403, 403, 403, 403, 403]
--- response_body eval
[(qq({"error":"a call that changes something cannot come from a page of another origin"}\n)) x 5]



=== TEST 10: and from the host's own
--- config
    location /hotlua/ { hotlua_control; }
--- request eval
[("POST /hotlua/invalidate?module=no.such.module") x 4]
--- more_headers eval
["Origin: http://localhost\n", "Origin: https://LOCALHOST\n", "Host: a.example:81\nOrigin: http://a.example:81\n",
 "X-Origin: http://evil.example\n"]
--- error_code_like eval
[qr/^(200|404|409)$/, qr/^(200|404|409)$/, qr/^(200|404|409)$/, qr/^(200|404|409)$/]



=== TEST 11: what changes nothing is told to every origin
--- config
    location /hotlua/ { hotlua_control; }
--- request
GET /hotlua/status
--- more_headers
Origin: http://evil.example



=== TEST 12: a changing call that comes by a redirect inside nginx
--- config
    location /hotlua/ { hotlua_control; }
    location = /redirected { try_files /none /hotlua/invalidate?all=1; }
    location = /rewritten { rewrite ^ /hotlua/invalidate?all=1 last; }
--- request eval
["POST /redirected", "POST /rewritten"]
--- error_code eval
[403, 403]
--- response_body eval
my $body = qq({"error":"a call that changes something cannot come by a subrequest or a redirect inside nginx"}\n);
[$body, $body]



=== TEST 13: a changing call that comes by a subrequest
--- config
    location /hotlua/ { hotlua_control; }
    location = /t { mirror /hotlua/invalidate; proxy_pass http://127.0.0.1:$TEST_NGINX_SERVER_PORT/ok; }
    location = /ok { return 200 "ok\n"; }
--- request
POST /t?all=1
--- response_body
ok
--- error_log
control call refused: a call that changes something cannot come by a subrequest



=== TEST 14: what changes nothing may come inside nginx
--- config
    location /hotlua/ { hotlua_control; }
    location = /redirected { try_files /none /hotlua/status; }
    location = /asks { auth_request /hotlua/status; alias $TEST_NGINX_HTML_DIR/ok; }
    location = /forbidden { auth_request /hotlua/none; alias $TEST_NGINX_HTML_DIR/ok; }
--- user_files
>>> ok
ok
--- request eval
["GET /redirected", "GET /asks", "GET /forbidden"]
--- error_code eval
[200, 200, 500]
--- response_body_like eval
['^\{"generation":', '^ok$', '500']



=== TEST 15: nginx's own rules stand before
--- config
    location /hotlua/ { deny all; hotlua_control; }
--- request
GET /hotlua/status
--- error_code: 403
--- response_body_like: 403 Forbidden



=== TEST 16: no token file
--- config
    location /hotlua/ { hotlua_control; hotlua_control_token $TEST_NGINX_HTML_DIR/none; }
--- must_die
--- error_log
/none" of "hotlua_control_token" cannot be read: No such file or directory



=== TEST 17: a directory
--- config
    hotlua_control_token $TEST_NGINX_HTML_DIR;
    location /hotlua/ { hotlua_control; }
--- must_die
--- error_log
/html" of "hotlua_control_token" is a directory



=== TEST 18: an empty token
--- config
    hotlua_control_token $TEST_NGINX_HTML_DIR/token;
--- user_files eval
">>> token\n\n"
--- must_die
--- error_log
/token" of "hotlua_control_token" is empty



=== TEST 19: a token of two words
--- config
    hotlua_control_token $TEST_NGINX_HTML_DIR/token;
--- user_files
>>> token
two words
--- must_die
--- error_log
/token" of "hotlua_control_token" has white space in it



=== TEST 20: a large token
--- config
    hotlua_control_token $TEST_NGINX_HTML_DIR/token;
--- user_files eval
">>> token\n" . "x" x 4097
--- must_die
--- error_log
/token" of "hotlua_control_token" is larger than 4096 bytes



=== TEST 21: two tokens in one place
--- config
    hotlua_control_token $TEST_NGINX_HTML_DIR/token;
    hotlua_control_token $TEST_NGINX_HTML_DIR/token;
--- user_files
>>> token
s3cret
--- must_die
--- error_log
"hotlua_control_token" directive is duplicate
