# The block format itself, on nginx alone. Passes under t/lib and under Test::Nginx.
use HTTP::Date qw(str2time time2str);
use Test::Nginx::Socket 'no_plan';

repeat_each(2);
no_long_string();
env_to_nginx('HARNESS=1');

$ENV{TEST_NGINX_HTML_DIR} ||= html_dir();
$ENV{TEST_NGINX_WORD}     ||= 'expanded';

add_block_preprocessor(sub {
    my $block = shift;
    $block->set_value(no_error_log => "[alert]\n[emerg]") if !defined $block->no_error_log;
    $block->set_value(request => 'GET /t') if !defined $block->request
        && !defined $block->raw_request && !defined $block->pipelined_requests;
});

no_shuffle();
run_tests();

__DATA__

=== TEST 1: body, code and headers
--- config
    location = /t {
        add_header X-Twice a;
        add_header X-Twice b;
        return 201 "x\n";
    }
--- request
GET /t
--- error_code: 201
--- response_body
x
--- response_headers
Content-Type: text/plain
X-Twice: a, b
!X-Absent
! X-Absent-Too



=== TEST 2: the config before is kept; patterns
--- error_code_like: ^20[01]$
--- response_body_like: ^x$
--- response_headers_like
Server: nginx.*
X-Twice: a.*b
--- raw_response_headers_like: X-Twice: a\r\nX-Twice: b\r\n
--- raw_response_headers_unlike: X-Thrice



=== TEST 3: body unlike, chomp
--- config
    location = /t { return 200 "x"; }
--- response_body_unlike: y



=== TEST 4: body without a newline
--- config
    location = /t { return 200 "x"; }
--- response_body chomp
x



=== TEST 5: a status other than 200
--- config
    location = /t { return 404; }
--- error_code: 404
--- response_body_like: 404 Not Found



=== TEST 6: a redirect names our port
--- config
    location = /t { return 302 /u; }
--- error_code: 302
--- response_headers
Location: http://localhost:$ServerPort/u



=== TEST 7: a bad configuration is refused
--- config
    location = /t { no_such_directive on; }
--- must_die
--- error_log
unknown directive "no_such_directive"
--- no_error_log
[alert]



=== TEST 8: it is refused with an exit code
--- config
    location = /t { no_such_directive on; }
--- must_die: 1
--- error_log eval
[qr/unknown directive "\w+"/, "[emerg]"]
--- no_error_log
[alert]



=== TEST 9: error log, substrings and regexes
--- config
    location = /t { root html; }
--- error_code: 404
--- error_log eval
["No such file", qr/open\(\) "\S+html\/t" failed/]
--- no_error_log
[crit]



=== TEST 10: error log by text, grep
--- config
    location ~ /(one|two) { root html; }
--- request eval
["GET /one", "GET /two"]
--- error_code eval
[404, 404]
--- error_log
No such file
failed
--- grep_error_log eval: qr/html\/\w+" failed/
--- grep_error_log_out eval
[qr/^html\/(one|two)" failed\n\z/, qr/^html\/(one|two)" failed\n\z/]



=== TEST 11: log level
--- config
    location = /t { rewrite_log on; rewrite ^ /u last; }
    location = /u { return 200 "u\n"; }
--- log_level: notice
--- response_body
u
--- error_log
[notice]
--- no_error_log
[debug]
[info]



=== TEST 12: user files, with and without a date
--- config
    location /files/ { alias $TEST_NGINX_HTML_DIR/; }
--- user_files
>>> a.txt
one
two
>>> sub/b.txt 199801171935.33
$TEST_NGINX_WORD
--- request eval
["GET /files/a.txt", "GET /files/sub/b.txt"]
--- response_body eval
["one\ntwo\n", "expanded\n"]
--- response_headers eval
["Content-Length: 8", "Last-Modified: " . ::time2str(::str2time("1998-01-17 19:35:33"))]



=== TEST 13: user files as data
--- config
    location /files/ { alias $TEST_NGINX_HTML_DIR/; }
--- user_files eval
[["a.txt" => "one"], ["b.txt" => "two"]]
--- request eval
["GET /files/a.txt", "GET /files/b.txt"]
--- response_body eval
["one", "two"]



=== TEST 14: user files are written for each repetition
--- config
    location /files/ { dav_methods DELETE; alias $TEST_NGINX_HTML_DIR/; }
--- user_files
>>> a.txt
x
--- request
DELETE /files/a.txt
--- error_code: 204



=== TEST 15: the default root
--- config
--- request
GET /
--- response_body chomp
<html><head><title>It works!</title></head><body>It works!</body></html>



=== TEST 16: variables of the environment
--- main_config
    # $TEST_NGINX_WORD
--- http_config
    map $host $word { default $TEST_NGINX_WORD; }
--- config
    location = /t { return 200 "$word $TEST_NGINX_SERVER_PORT\n"; }
--- response_body
expanded $TEST_NGINX_SERVER_PORT



=== TEST 17: several requests, a connection each
--- config
    location /t { return 200 "$request_method $uri $connection_requests\n"; }
--- request eval
["GET /t/1", "POST /t/2\nbody", "GET /t/3 HTTP/1.0"]
--- response_body eval
["GET /t/1 1\n", qr{^POST /t/2 \d+$}, "GET /t/3 1\n"]
--- error_code eval
[200, 200, 200]



=== TEST 18: pipelined requests share a connection
--- config
    location /t { return 200 "$uri $connection_requests $http_connection\n"; }
--- pipelined_requests eval
["GET /t/1", "GET /t/2", "GET /t/3"]
--- response_body eval
["/t/1 1 keep-alive\n", "/t/2 2 keep-alive\n", "/t/3 3 close\n"]



=== TEST 19: default headers, and more of them
--- config
    location = /t { return 200 "$http_host $http_connection $http_x_foo $http_content_length\n"; }
--- request
POST /t
hello
--- more_headers
X-Foo: bar
--- response_body
localhost close bar 5



=== TEST 20: given headers replace the default ones
--- config
    server_name other;
    location = /t { return 200 "$http_host $http_connection\n"; }
--- request eval
["GET /t", "GET /t"]
--- more_headers eval
["Host: other", "Host: another\nConnection: foo, close"]
--- response_body eval
["other close\n", "another foo, close\n"]



=== TEST 21: comments before the request
--- config
    location = /t { return 200 "$request\n"; }
--- request
# a comment
# and another
GET /t?a=b HTTP/1.0
--- response_body
GET /t?a=b HTTP/1.0



=== TEST 22: a raw request, in packets
--- config
    location = /t { return 200 "$http_host $http_x_foo\n"; }
--- raw_request eval
["GET /t HTTP/1.0\r\nHost: lo", "calhost\r\nX-Foo", ": bar\r\n\r\n"]
--- response_body
localhost bar



=== TEST 23: a request in packets
--- config
    location = /t { return 200 "$content_length\n"; }
--- request eval
[["POST /t\nfirst,", { value => "second", delay_before => 0.02 }]]
--- response_body eval
["12\n"]



=== TEST 24: HEAD has no body
--- config
    location = /t { return 200 "hello"; }
--- request
HEAD /t
--- response_body
--- response_headers
Content-Length: 5



=== TEST 25: a chunked response
--- config
    location = /t { sub_filter a b; sub_filter_once off; sub_filter_types *; alias $TEST_NGINX_HTML_DIR/a.txt; }
--- user_files
>>> a.txt
banana
--- response_body
bbnbnb
--- response_headers
Transfer-Encoding: chunked



=== TEST 26: a connection closed without a response
--- config
    location = /t { return 444; }
--- error_code:
--- response_body



=== TEST 27: that response ignored
--- config
    location = /t { return 444; }
--- ignore_response
--- error_log
GET /t



=== TEST 28: a body ignored
--- config
    location = /t { return 200 "x\n"; }
--- ignore_response_body



=== TEST 29: a client that gives up
--- config
    location = /t { limit_rate 1; return 200 "hello, world\n"; }
--- timeout: 50ms
--- abort
--- ignore_response



=== TEST 30: skipped for this version
--- config
    location = /t { no_such_directive; }
--- response_body
never
--- skip_nginx: 2: > 1.0.0



=== TEST 31: what is written at the end
--- config
    location = /t { return 200 "x\n"; }
--- response_body
x
--- access_log
GET /t
--- no_access_log
POST
--- shutdown_error_log
exit
--- no_shutdown_error_log
exited on signal



=== TEST 32: not skipped for this version
--- config
    location = /t { return 200 "x\n"; }
--- response_body
x
--- skip_nginx
2: < 1.0.0
--- skip_nginx2
2: > 1.0.0 and < 1.0.1



=== TEST 33: skipped outright
--- config
    location = /t { no_such_directive; }
--- SKIP



=== TEST 34: perl code before
--- config
    location = /t { return 200 "x\n"; }
--- init
$main::INIT{ $block->name }++;
--- response_body_filters
uc
--- response_body
X
--- no_check_leak
