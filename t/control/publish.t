# What publish takes as arguments, and who may ask for it. What it does stands in changes.t.
use Test::Nginx::Socket 'no_plan';

no_long_string();

add_block_preprocessor(sub {
    my $block = shift;
    $block->set_value(config => '    location /hotlua/ { hotlua_control; }') if !defined $block->config;
    $block->set_value(no_error_log => "[alert]\n[emerg]") if !defined $block->no_error_log;
});

# The requests of queries, for a block that has several.
sub posts { [ map {"POST /hotlua/publish$_"} @_ ] }

no_shuffle();
run_tests();

__DATA__

=== TEST 1: good arguments are not refused
--- request eval
::posts('', '?', '?&', '?reason=fix+%2312', '?reason=' . 'x' x 200, '?reason=' . '%C3%A9' x 200, '?reason=%22a%22=b')
--- error_code_like eval
[(qr/^(?:200|409)$/) x 7]
--- response_body_like eval
[(qr/^\{"(?:error":".+"|generation":\d+,"changed":\[.*\],"reloaded":\[.*\])\}$/) x 7]
--- response_headers eval
[("Content-Type: application/json\nCache-Control: no-store") x 7]



=== TEST 2: bad arguments
--- request eval
::posts('?reason', '?reason=', '?reason=a&reason=b', '?reason=a&reason=a', '?Reason=a', '?module=a', '?to=1', '?=',
    '?reason=' . 'x' x 201, '?reason=' . '%C3%A9' x 201, '?reason=' . 'x' x 1025, '?reason=a&' x 300)
--- error_code eval
[(400) x 12]
--- response_body_like eval
[(qr/\{"error":"\\"reason\\" has no value"\}/) x 2, (qr/\{"error":"\\"reason\\" is given more than once"\}/) x 2,
 (qr/\{"error":"the call has no argument \\"\w*\\"; it takes reason"\}/) x 4,
 (qr/\{"error":"\\"reason\\" is longer than 200 characters"\}/) x 2,
 qr/\{"error":"a value of \\"reason\\" is longer than 1024 bytes"\}/, qr/\{"error":".*reason/]
--- response_headers eval
[("Content-Type: application/json\nCache-Control: no-store") x 12]



=== TEST 3: bad encodings
--- request eval
::posts('?reason=%', '?reason=%4', '?reason=%zz', '?%zz=a', '?reason=%00', '?reason=a%0Ab', '?reason=%7F', '?reason=%FF',
    '?reason=%C3', '?reason=%ED%A0%80')
--- error_code eval
[(400) x 10]
--- response_body_like eval
[('bad percent-encoding in the value of \\\\"reason\\\\"') x 3, 'bad percent-encoding in \\\\"%zz\\\\"', 'has a NUL in it',
 ('has a control character in it') x 2, ('is not UTF-8') x 3]



=== TEST 4: other methods
--- request eval
[map {"$_ /hotlua/publish"} qw(GET HEAD PUT DELETE OPTIONS)]
--- error_code eval
[(405) x 5]
--- response_headers eval
[("Allow: POST\nContent-Type: application/json\nCache-Control: no-store") x 5]



=== TEST 5: a form in the body is not silently ignored
--- request
POST /hotlua/publish
reason=a
--- more_headers
Content-Type: application/x-www-form-urlencoded
--- error_code: 400
--- response_body
{"error":"the arguments belong in the query string; a form in the body is not read"}



=== TEST 6: another body is thrown away, and the connection goes on behind it
--- raw_request eval
"POST /hotlua/publish?x=1 HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nhello"
. "GET /hotlua/status HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
--- ignore_response
--- access_log eval
[qr{"POST /hotlua/publish\?x=1 HTTP/1\.1" 400}, qr{"GET /hotlua/status HTTP/1\.1" 200}]



=== TEST 7: from another origin
--- request eval
[("POST /hotlua/publish?x=1") x 2]
--- more_headers eval
["Origin: http://evil.example\n", "Origin: http://localhost\n"]
--- error_code eval
[403, 400]
--- response_body_like eval
['cannot come from a page of another origin', 'no argument']



=== TEST 8: by a redirect inside nginx
--- config
    location /hotlua/ { hotlua_control; }
    location = /t { try_files /none /hotlua/publish; }
--- request
POST /t
--- error_code: 403
--- response_body
{"error":"a call that changes something cannot come by a subrequest or a redirect inside nginx"}



=== TEST 9: by a subrequest
--- config
    location /hotlua/ { hotlua_control; }
    location = /mirrored { mirror /hotlua/publish; proxy_pass http://127.0.0.1:$TEST_NGINX_SERVER_PORT/ok; }
    location = /ok { return 200 "ok\n"; }
--- request
POST /mirrored
--- response_body
ok
--- error_log
control call refused: a call that changes something cannot come by a subrequest



=== TEST 10: from another host
--- config
    set_real_ip_from 127.0.0.1;
    location /hotlua/ { hotlua_control; }
--- request
POST /hotlua/publish?x=1
--- more_headers
X-Real-IP: 192.0.2.1
--- error_code: 403
--- response_body
{"error":"without a token only clients of this host are answered"}



=== TEST 11: without the token
--- config
    location /hotlua/ { hotlua_control; hotlua_control_token html/token; }
--- user_files
>>> token
s3cret
--- request eval
[("POST /hotlua/publish?x=1") x 3]
--- more_headers eval
["", "Authorization: Bearer wrong\n", "Authorization: Bearer s3cret\n"]
--- error_code eval
[401, 401, 400]
