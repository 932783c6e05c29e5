# What invalidate takes as arguments. What it does is hot's and stands with it.
use Test::Nginx::Socket 'no_plan';

no_long_string();

add_block_preprocessor(sub {
    my $block = shift;
    $block->set_value(config => '    location /hotlua/ { hotlua_control; }');
    $block->set_value(no_error_log => "[alert]\n[emerg]") if !defined $block->no_error_log;
});

# The requests of queries, for a block that has several.
sub posts { [ map {"POST /hotlua/invalidate?$_"} @_ ] }

no_shuffle();
run_tests();

__DATA__

=== TEST 1: good arguments are not refused
--- request eval
::posts('module=no.such.module', 'module=no.such.module&module=no-such.module_2&dependents=0',
    'file=no/such%20file.lua', 'pattern=no.such.*', 'module=no.such.module&all=0&dependents=1')
--- error_code_like eval
[(qr/^(?:200|404|409)$/) x 5]
--- response_body_like eval
[(qr/^\{"(?:error":".+|generation":\d+,"reloaded":\[.*\])\}$/) x 5]
--- response_headers eval
[("Content-Type: application/json\nCache-Control: no-store") x 5]



=== TEST 2: a module that nobody has
--- request
POST /hotlua/invalidate?module=no.such.module
--- error_code: 404
--- response_body_like: ^\{"error":".*no\.such\.module.*"\}$



=== TEST 3: nothing to invalidate
--- request eval
::posts('', 'dependents=0', 'all=0', '&&')
--- error_code eval
[400, 400, 400, 400]
--- response_body eval
[(qq({"error":"say what to invalidate in the query string: module=, file=, pattern= or all=1"}\n)) x 4]



=== TEST 4: unknown, doubled and ill-formed arguments
--- request eval
::posts('modules=a', 'module=a&Module=b', 'all=1&all=1', 'module=a&dependents=0&dependents=0', 'all=2', 'all=true',
    'module=a&dependents=no', 'all', 'module', 'module=', 'module=a&file=', 'module=%', 'module=%zz', '%zz=1')
--- error_code eval
[(400) x 14]
--- response_body_like eval
['no argument \\\\"modules\\\\"; it takes module, file, pattern, all, dependents', 'no argument', 'more than once',
 'more than once', '\\\\"all\\\\" is 0 or 1, not \\\\"2\\\\"', '0 or 1', '0 or 1', 'no value', 'no value', 'no value', 'no value',
 'bad percent-encoding', 'bad percent-encoding', 'bad percent-encoding']



=== TEST 5: bytes that no value has
--- request eval
::posts('module=%00', 'module=a%0Ab', 'module=a%7F', 'module=%FF', 'file=%C3', 'pattern=%ED%A0%80')
--- error_code eval
[(400) x 6]
--- response_body_like eval
['NUL', 'control character', 'control character', 'not UTF-8', 'not UTF-8', 'not UTF-8']



=== TEST 6: what no module is called
--- request eval
::posts('module=a/b', 'module=..', 'module=../a', 'module=a..b', 'module=.a', 'module=a.', 'module=a%5Cb', 'module=a+b',
    'module=a.*', 'pattern=a/*', 'file=../a.lua', 'file=/srv/../a.lua', 'file=a/')
--- error_code eval
[(400) x 13]
--- response_body_like eval
['has a slash', 'has an empty part', 'has a slash', 'has an empty part', 'has an empty part', 'has an empty part',
 'has a slash', 'has a space', 'pattern= takes that', 'has a slash', 'has \.\. in it', 'has \.\. in it', 'is a directory']



=== TEST 7: as many and as long as may be
--- request eval
::posts('module=' . 'x' x 1024, 'module=xx.yy&' x 256)
--- error_code_like eval
[(qr/^(?:200|404|409)$/) x 2]



=== TEST 8: too many, too long
--- request eval
::posts('module=' . 'x' x 1025, 'module=xx.yy&' x 257)
--- error_code eval
[400, 400]
--- response_body_like eval
['longer than 1024 bytes', 'more than 256 arguments']



=== TEST 9: other methods
--- request eval
[map {"$_ /hotlua/invalidate?all=1"} qw(GET HEAD PUT DELETE OPTIONS)]
--- error_code eval
[(405) x 5]
--- response_headers eval
[("Allow: POST\nContent-Type: application/json\nCache-Control: no-store") x 5]



=== TEST 10: a body is thrown away, and the connection goes on behind it
--- raw_request eval
"POST /hotlua/invalidate?all=2 HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nall=1"
. "POST /hotlua/invalidate HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nall=1\r\n0\r\n\r\n"
. "GET /hotlua/status HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
--- ignore_response
--- access_log eval
[qr{"POST /hotlua/invalidate\?all=2 HTTP/1\.1" 400}, qr{"POST /hotlua/invalidate HTTP/1\.1" 400}, qr{"GET /hotlua/status HTTP/1\.1" 200}]



=== TEST 11: a form in the body is not silently ignored
--- request
POST /hotlua/invalidate?module=no.such.module
all=1
--- more_headers
Content-Type: application/x-www-form-urlencoded; charset=utf-8
--- error_code: 400
--- response_body
{"error":"the arguments belong in the query string; a form in the body is not read"}



=== TEST 12: an empty one is
--- request
POST /hotlua/invalidate?all=2
--- more_headers
Content-Type: application/x-www-form-urlencoded
Content-Length: 0
--- error_code: 400
--- response_body
{"error":"\"all\" is 0 or 1, not \"2\""}
