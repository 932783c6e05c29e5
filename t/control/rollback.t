# What rollback takes as arguments, and who may ask for it. What it does stands in changes.t.
use Test::Nginx::Socket 'no_plan';

no_long_string();

add_block_preprocessor(sub {
    my $block = shift;
    $block->set_value(config => '    location /hotlua/ { hotlua_control; }') if !defined $block->config;
    $block->set_value(no_error_log => "[alert]\n[emerg]") if !defined $block->no_error_log;
});

# The requests of queries, for a block that has several.
sub posts { [ map {"POST /hotlua/rollback$_"} @_ ] }

no_shuffle();
run_tests();

__DATA__

=== TEST 1: good arguments are not refused
--- request eval
::posts('', '?', '?to=7000', '?to=0007000', '?to=18446744073709551615', '?%74o=%37000')
--- error_code_like eval
[(qr/^(?:404|409)$/) x 6]
--- response_body_like eval
[(qr/^\{"error":".+"\}$/) x 6]
--- response_headers eval
[("Content-Type: application/json\nCache-Control: no-store") x 6]



=== TEST 2: what is no number from 1
--- request eval
::posts(map {"?to=$_"} 'abc', '-1', '0', '00', '%2B1', '+1', '1.0', '1e3', '0x1', '7,8', '%D9%A1', '18446744073709551616',
    '99999999999999999999')
--- error_code eval
[(400) x 13]
--- response_body eval
my $error = '{"error":"\"to\" is a number from 1 to 18446744073709551615, not \"%s\""}' . "\n";
[map { sprintf $error, $_ } 'abc', '-1', '0', '00', '+1', ' 1', '1.0', '1e3', '0x1', '7,8', "\xD9\xA1",
 '18446744073709551616', '99999999999999999999']



=== TEST 3: missing, doubled, unknown, oversized
--- request eval
::posts('?to', '?to=', '?to=1&to=1', '?to=1&to=', '?To=1', '?generation=1', '?to=1&reason=a', '?to=' . '1' x 1025,
    '?to=1&' x 300)
--- error_code eval
[(400) x 9]
--- response_body_like eval
[(qr/\{"error":"\\"to\\" has no value"\}/) x 2, qr/\{"error":"\\"to\\" is given more than once"\}/,
 qr/\{"error":"\\"to\\" has no value"\}/, (qr/\{"error":"the call has no argument \\"\w+\\"; it takes to"\}/) x 3,
 qr/\{"error":"a value of \\"to\\" is longer than 1024 bytes"\}/, qr/\{"error":".+"\}/]



=== TEST 4: bad encodings
--- request eval
::posts('?to=%', '?to=%3', '?to=%zz', '?%zz=1', '?to=1%00', '?to=1%0A', '?to=%FF')
--- error_code eval
[(400) x 7]
--- response_body_like eval
[('bad percent-encoding') x 4, 'has a NUL in it', 'has a control character in it', 'is not UTF-8']



=== TEST 5: other methods
--- request eval
[map {"$_ /hotlua/rollback"} qw(GET HEAD PUT DELETE OPTIONS)]
--- error_code eval
[(405) x 5]
--- response_headers eval
[("Allow: POST\nContent-Type: application/json\nCache-Control: no-store") x 5]



=== TEST 6: a form in the body is not silently ignored
--- request
POST /hotlua/rollback
to=1
--- more_headers
Content-Type: application/x-www-form-urlencoded
--- error_code: 400
--- response_body
{"error":"the arguments belong in the query string; a form in the body is not read"}



=== TEST 7: from another origin
--- request eval
[("POST /hotlua/rollback?to=0") x 2]
--- more_headers eval
["Origin: http://evil.example\n", "Origin: http://localhost\n"]
--- error_code eval
[403, 400]



=== TEST 8: by a redirect inside nginx
--- config
    location /hotlua/ { hotlua_control; }
    location = /t { rewrite ^ /hotlua/rollback?to=1 last; }
--- request
POST /t
--- error_code: 403
--- response_body
{"error":"a call that changes something cannot come by a subrequest or a redirect inside nginx"}



=== TEST 9: from another host
--- config
    set_real_ip_from 127.0.0.1;
    location /hotlua/ { hotlua_control; }
--- request
POST /hotlua/rollback?to=0
--- more_headers
X-Real-IP: 192.0.2.1
--- error_code: 403



=== TEST 10: without the token
--- config
    location /hotlua/ { hotlua_control; hotlua_control_token html/token; }
--- user_files
>>> token
s3cret
--- request eval
[("POST /hotlua/rollback?to=0") x 3]
--- more_headers eval
["", "Authorization: Bearer wrong\n", "Authorization: Bearer s3cret\n"]
--- error_code eval
[401, 401, 400]
