# hotlua_sandbox and content_by_sandbox_file: what nginx -t takes, and what it says of what it does not.
use Test::Nginx::Socket 'no_plan';

no_long_string();
$ENV{TEST_NGINX_HTML_DIR} ||= html_dir();

add_block_preprocessor(sub {
    my $block = shift;
    $block->set_value(config => '    location = /t { content_by_lua_block { ngx.say("ok") } }') if !defined $block->config;
    return refused($block) if defined $block->must_die;
    $block->set_value(request => 'GET /t') if !defined $block->request;
    $block->set_value(response_body => "ok\n");
    $block->set_value(no_error_log => "[warn]\n[error]\n[alert]\n[emerg]") if !defined $block->error_log;
});

# The error is said once, and files are named by their whole paths.
sub refused {
    my ($block) = @_;
    (my $log = $block->error_log) =~ s{(\b\w+\.conf\b)}{$ENV{TEST_NGINX_SERVER_ROOT}/conf/$1}g;
    $block->set_value(error_log => $log);
    return if defined $block->grep_error_log;
    $block->set_value(grep_error_log => '[emerg]');
    $block->set_value(grep_error_log_out => "[emerg]\n");
}

no_shuffle();
run_tests();

__DATA__

=== TEST 1: all of a profile
--- http_config
    hotlua_sandbox tenants {
        allow assert math string.* ngx.say;
        allow ngx.var.host ngx.var.arg_*;
        instructions 2m;
        time 50ms;
        memory 4m;
        output 64k;
        status 503;
        per $host;
        vms 100;
    }



=== TEST 2: the smallest values
--- http_config
    hotlua_sandbox tenants {
        allow ngx.say;
        instructions 1;
        time 1ms;
        memory 64k;
        output 0;
        status 400;
        vms 1;
    }



=== TEST 3: the largest values
--- http_config
    hotlua_sandbox tenants {
        allow ngx.say;
        instructions 100000m;
        time 1m;
        memory 1g;
        output 1024m;
        status 599;
        vms 65536;
    }



=== TEST 4: every library
--- http_config
    hotlua_sandbox tenants {
        allow bit coroutine math os string table;
        allow bit.* coroutine.* math.* os.* string.* table.*;
    }



=== TEST 5: two profiles, one word each
--- http_config
    hotlua_sandbox a { allow ngx.say; }
    hotlua_sandbox A-1_b { allow ngx.say; }



=== TEST 6: quotes and comments as nginx has them
--- http_config
    hotlua_sandbox tenants {
        # one
        allow "ngx.say" # two
              'math';
    }



=== TEST 7: names from a file
--- http_config
    hotlua_sandbox tenants {
        include allowed.conf;
    }
--- user_files
>>> ../conf/allowed.conf
allow ngx.say;
memory 1m;



=== TEST 8: what comes behind the block
--- http_config
    hotlua_sandbox tenants {
        allow ngx.say;
    }
    lua_package_path '$prefix/?.lua;;';



=== TEST 9: variables that are defined behind the profile
--- http_config
    hotlua_sandbox tenants {
        allow ngx.var.tenant ngx.var.plan ngx.var.ten*;
    }
    map $host $plan { default free; }
--- config
    location = /t { set $tenant one; content_by_lua_block { ngx.say('ok') } }



=== TEST 10: variables in any case
--- http_config
    hotlua_sandbox tenants {
        allow ngx.var.Host ngx.var.REQUEST_*;
    }



=== TEST 11: scripts of one file, and of a directory
--- http_config
    hotlua_sandbox tenants {
        allow ngx.say;
    }
--- config
    location = /t { content_by_lua_block { ngx.say('ok') } }
    location = /one { content_by_sandbox_file tenants html/one.lua; }
    location ~ ^/many/(\w+)$ { content_by_sandbox_file tenants html/$1.lua; }
    location = /absolute { content_by_sandbox_file tenants $TEST_NGINX_HTML_DIR/one.lua; }
    location /if { if ($request_method = GET) { content_by_sandbox_file tenants html/one.lua; } }



=== TEST 12: a handler of each kind, inside of one another
--- http_config
    hotlua_sandbox tenants {
        allow ngx.say;
    }
--- config
    location = /t { content_by_lua_block { ngx.say('ok') } }
    location /a {
        content_by_sandbox_file tenants html/one.lua;
        location /a/b { content_by_lua_block { ngx.say("b") } }
        location /a/c { hotlua_control; }
        if ($arg_x) { content_by_lua_block { ngx.say("if") } }
        limit_except GET { deny all; }
    }
    location /d { content_by_lua_block { ngx.say("d") } if ($arg_x) { content_by_sandbox_file tenants html/one.lua; } }



=== TEST 13: a profile behind those who use it
--- http_config
    server {
        listen 127.0.0.1:$TEST_NGINX_RAND_PORT_1;
        location / { content_by_sandbox_file late html/x.lua; }
    }
    hotlua_sandbox late { allow ngx.say; }



=== TEST 14: a profile that nobody uses, and no Lua
--- http_config
    hotlua_sandbox tenants { allow ngx.say ngx.var.host; }
--- config
    location = /t { return 200 "ok\n"; }



=== TEST 15: a profile that allows nothing is warned of
--- http_config
    hotlua_sandbox tenants {
        memory 1m;
    }
--- error_log eval
[qr/\[warn\].* "hotlua_sandbox tenants" allows nothing, so its scripts can neither see nor say anything: write for instance "allow math string ngx.say;" in \S+nginx\.conf:27/]



=== TEST 16: variables alone are something
--- http_config
    hotlua_sandbox tenants { allow ngx.var.host; }



=== TEST 17: a path that a client chooses is warned of
--- http_config
    hotlua_sandbox tenants { allow ngx.say; }
--- config
    location = /t { content_by_lua_block { ngx.say('ok') } }
    location ~ ^/s/(.+)$ { content_by_sandbox_file tenants html/$1.lua; }
--- error_log eval
[qr/\[warn\].* "\$1" names a Lua file but .* lets "\." match any character: .* in \S+nginx\.conf:41/]



=== TEST 18: a profile in a server
--- config
    hotlua_sandbox tenants {
        allow ngx.say;
    }
--- must_die
--- error_log
"hotlua_sandbox" directive is not allowed here



=== TEST 19: no name
--- http_config
    hotlua_sandbox { allow ngx.say; }
--- must_die
--- error_log
invalid number of arguments in "hotlua_sandbox" directive



=== TEST 20: no block
--- http_config
    hotlua_sandbox tenants;
--- must_die
--- error_log
directive "hotlua_sandbox" has no opening "{"



=== TEST 21: an empty name
--- http_config
    hotlua_sandbox '' { allow ngx.say; }
--- must_die
--- error_log
invalid name "" in "hotlua_sandbox", write letters, digits, "-" and "_" in nginx.conf:25



=== TEST 22: a name of other characters
--- http_config
    hotlua_sandbox a.b { allow ngx.say; }
--- must_die
--- error_log
invalid name "a.b" in "hotlua_sandbox", write letters, digits, "-" and "_" in nginx.conf:25



=== TEST 23: a second profile of that name
--- http_config
    hotlua_sandbox tenants {
        allow ngx.say;
    }
    hotlua_sandbox tenants {
        allow math;
    }
--- must_die
--- error_log
"hotlua_sandbox tenants" is duplicate, the first one is at nginx.conf:25 in nginx.conf:28



=== TEST 24: a block that is not closed
--- http_config
    include open.conf;
--- user_files
>>> ../conf/open.conf
hotlua_sandbox tenants {
    allow ngx.say;
--- must_die
--- error_log
unexpected end of file, expecting "}" in open.conf:3



=== TEST 25: a block inside of the block
--- http_config
    hotlua_sandbox tenants {
        allow ngx.say;
        limits {
    }
--- must_die
--- error_log
unexpected "{" in nginx.conf:27



=== TEST 26: a line without an end
--- http_config
    hotlua_sandbox tenants {
        allow ngx.say;
        memory 1m
    }
--- must_die
--- error_log
unexpected "}" in nginx.conf:28



=== TEST 27: the line before has no end
--- http_config
    hotlua_sandbox tenants {
        allow ngx.say
        memory 1m;
    }
--- must_die
--- error_log
"memory" is a directive and no name: the "allow" before it needs a ";" at its end in nginx.conf:27



=== TEST 28: an unknown directive
--- http_config
    hotlua_sandbox tenants {
        allow ngx.say;
        memroy 1m;
    }
--- must_die
--- error_log
unknown directive "memroy" in "hotlua_sandbox", did you mean "memory" in nginx.conf:27



=== TEST 29: a directive that is like none
--- http_config
    hotlua_sandbox tenants {
        require x;
    }
--- must_die
--- error_log
unknown directive "require" in "hotlua_sandbox", there are allow, instructions, time, memory, output, status, per, vms in nginx.conf:26



=== TEST 30: a directive of nginx
--- http_config
    hotlua_sandbox tenants {
        set $x 1;
    }
--- must_die
--- error_log
unknown directive "set" in "hotlua_sandbox", there are allow



=== TEST 31: include of nothing
--- http_config
    hotlua_sandbox tenants {
        include;
    }
--- must_die
--- error_log
unknown directive "include" in "hotlua_sandbox", there are allow



=== TEST 32: include of what is not there
--- http_config
    hotlua_sandbox tenants {
        include none.conf;
    }
--- must_die
--- error_log
open() "none.conf" failed (2: No such file or directory) in nginx.conf:26



=== TEST 33: an error in a file that is included
--- http_config
    hotlua_sandbox tenants {
        include allowed.conf;
    }
--- user_files
>>> ../conf/allowed.conf
allow math;
allow ngx.sya;
--- must_die
--- error_log
unknown name "ngx.sya", did you mean "ngx.say" in allowed.conf:2



=== TEST 34: instructions 0
--- http_config
    hotlua_sandbox tenants {
        allow ngx.say;
        instructions 0;
    }
--- must_die
--- error_log
invalid value "0" in "instructions", write a number from 1 to 100000m, for instance 1m in nginx.conf:27



=== TEST 35: instructions many
--- http_config
    hotlua_sandbox tenants {
        allow ngx.say;
        instructions many;
    }
--- must_die
--- error_log
invalid value "many" in "instructions", write a number from 1 to 100000m, for instance 1m in nginx.conf:27



=== TEST 36: instructions -1
--- http_config
    hotlua_sandbox tenants {
        allow ngx.say;
        instructions -1;
    }
--- must_die
--- error_log
invalid value "-1" in "instructions", write a number from 1 to 100000m, for instance 1m in nginx.conf:27



=== TEST 37: instructions 1.5m
--- http_config
    hotlua_sandbox tenants {
        allow ngx.say;
        instructions 1.5m;
    }
--- must_die
--- error_log
invalid value "1.5m" in "instructions", write a number from 1 to 100000m, for instance 1m in nginx.conf:27



=== TEST 38: instructions 1g
--- http_config
    hotlua_sandbox tenants {
        allow ngx.say;
        instructions 1g;
    }
--- must_die
--- error_log
invalid value "1g" in "instructions", write a number from 1 to 100000m, for instance 1m in nginx.conf:27



=== TEST 39: instructions 100001m
--- http_config
    hotlua_sandbox tenants {
        allow ngx.say;
        instructions 100001m;
    }
--- must_die
--- error_log
invalid value "100001m" in "instructions", write a number from 1 to 100000m, for instance 1m in nginx.conf:27



=== TEST 40: instructions ""
--- http_config
    hotlua_sandbox tenants {
        allow ngx.say;
        instructions "";
    }
--- must_die
--- error_log
invalid value "" in "instructions", write a number from 1 to 100000m, for instance 1m in nginx.conf:27



=== TEST 41: instructions 99999999999999999999
--- http_config
    hotlua_sandbox tenants {
        allow ngx.say;
        instructions 99999999999999999999;
    }
--- must_die
--- error_log
invalid value "99999999999999999999" in "instructions", write a number from 1 to 100000m, for instance 1m in nginx.conf:27



=== TEST 42: instructions without a value
--- http_config
    hotlua_sandbox tenants {
        allow ngx.say;
        instructions;
    }
--- must_die
--- error_log
"instructions" has no value, write a number from 1 to 100000m, for instance 1m in nginx.conf:27



=== TEST 43: instructions with two values
--- http_config
    hotlua_sandbox tenants {
        instructions 1m 1m;
    }
--- must_die
--- error_log
"instructions" has more than one value, write a number from 1 to 100000m, for instance 1m in nginx.conf:26



=== TEST 44: instructions twice
--- http_config
    hotlua_sandbox tenants {
        instructions 1m;
        instructions 1m;
    }
--- must_die
--- error_log
"instructions" directive is duplicate in nginx.conf:27



=== TEST 45: time 0
--- http_config
    hotlua_sandbox tenants {
        allow ngx.say;
        time 0;
    }
--- must_die
--- error_log
invalid value "0" in "time", write a time from 1ms to 60s, for instance 100ms in nginx.conf:27



=== TEST 46: time soon
--- http_config
    hotlua_sandbox tenants {
        allow ngx.say;
        time soon;
    }
--- must_die
--- error_log
invalid value "soon" in "time", write a time from 1ms to 60s, for instance 100ms in nginx.conf:27



=== TEST 47: time -1ms
--- http_config
    hotlua_sandbox tenants {
        allow ngx.say;
        time -1ms;
    }
--- must_die
--- error_log
invalid value "-1ms" in "time", write a time from 1ms to 60s, for instance 100ms in nginx.conf:27



=== TEST 48: time ""
--- http_config
    hotlua_sandbox tenants {
        allow ngx.say;
        time "";
    }
--- must_die
--- error_log
invalid value "" in "time", write a time from 1ms to 60s, for instance 100ms in nginx.conf:27



=== TEST 49: time 60001ms
--- http_config
    hotlua_sandbox tenants {
        allow ngx.say;
        time 60001ms;
    }
--- must_die
--- error_log
invalid value "60001ms" in "time", write a time from 1ms to 60s, for instance 100ms in nginx.conf:27



=== TEST 50: time 61
--- http_config
    hotlua_sandbox tenants {
        allow ngx.say;
        time 61;
    }
--- must_die
--- error_log
invalid value "61" in "time", write a time from 1ms to 60s, for instance 100ms in nginx.conf:27



=== TEST 51: time 1d
--- http_config
    hotlua_sandbox tenants {
        allow ngx.say;
        time 1d;
    }
--- must_die
--- error_log
invalid value "1d" in "time", write a time from 1ms to 60s, for instance 100ms in nginx.conf:27



=== TEST 52: time without a value
--- http_config
    hotlua_sandbox tenants {
        allow ngx.say;
        time;
    }
--- must_die
--- error_log
"time" has no value, write a time from 1ms to 60s, for instance 100ms in nginx.conf:27



=== TEST 53: time with two values
--- http_config
    hotlua_sandbox tenants {
        time 1s 1s;
    }
--- must_die
--- error_log
"time" has more than one value, write a time from 1ms to 60s, for instance 100ms in nginx.conf:26



=== TEST 54: time twice
--- http_config
    hotlua_sandbox tenants {
        time 1s;
        time 1s;
    }
--- must_die
--- error_log
"time" directive is duplicate in nginx.conf:27



=== TEST 55: memory 63k
--- http_config
    hotlua_sandbox tenants {
        allow ngx.say;
        memory 63k;
    }
--- must_die
--- error_log
invalid value "63k" in "memory", write a size from 64k to 1g, for instance 8m in nginx.conf:27



=== TEST 56: memory big
--- http_config
    hotlua_sandbox tenants {
        allow ngx.say;
        memory big;
    }
--- must_die
--- error_log
invalid value "big" in "memory", write a size from 64k to 1g, for instance 8m in nginx.conf:27



=== TEST 57: memory -1
--- http_config
    hotlua_sandbox tenants {
        allow ngx.say;
        memory -1;
    }
--- must_die
--- error_log
invalid value "-1" in "memory", write a size from 64k to 1g, for instance 8m in nginx.conf:27



=== TEST 58: memory ""
--- http_config
    hotlua_sandbox tenants {
        allow ngx.say;
        memory "";
    }
--- must_die
--- error_log
invalid value "" in "memory", write a size from 64k to 1g, for instance 8m in nginx.conf:27



=== TEST 59: memory 1025m
--- http_config
    hotlua_sandbox tenants {
        allow ngx.say;
        memory 1025m;
    }
--- must_die
--- error_log
invalid value "1025m" in "memory", write a size from 64k to 1g, for instance 8m in nginx.conf:27



=== TEST 60: memory 2g
--- http_config
    hotlua_sandbox tenants {
        allow ngx.say;
        memory 2g;
    }
--- must_die
--- error_log
invalid value "2g" in "memory", write a size from 64k to 1g, for instance 8m in nginx.conf:27



=== TEST 61: memory 99999999999999999999
--- http_config
    hotlua_sandbox tenants {
        allow ngx.say;
        memory 99999999999999999999;
    }
--- must_die
--- error_log
invalid value "99999999999999999999" in "memory", write a size from 64k to 1g, for instance 8m in nginx.conf:27



=== TEST 62: memory without a value
--- http_config
    hotlua_sandbox tenants {
        allow ngx.say;
        memory;
    }
--- must_die
--- error_log
"memory" has no value, write a size from 64k to 1g, for instance 8m in nginx.conf:27



=== TEST 63: memory with two values
--- http_config
    hotlua_sandbox tenants {
        memory 1m 1m;
    }
--- must_die
--- error_log
"memory" has more than one value, write a size from 64k to 1g, for instance 8m in nginx.conf:26



=== TEST 64: memory twice
--- http_config
    hotlua_sandbox tenants {
        memory 1m;
        memory 1m;
    }
--- must_die
--- error_log
"memory" directive is duplicate in nginx.conf:27



=== TEST 65: output -1
--- http_config
    hotlua_sandbox tenants {
        allow ngx.say;
        output -1;
    }
--- must_die
--- error_log
invalid value "-1" in "output", write a size from 0 to 1g, for instance 1m in nginx.conf:27



=== TEST 66: output none
--- http_config
    hotlua_sandbox tenants {
        allow ngx.say;
        output none;
    }
--- must_die
--- error_log
invalid value "none" in "output", write a size from 0 to 1g, for instance 1m in nginx.conf:27



=== TEST 67: output ""
--- http_config
    hotlua_sandbox tenants {
        allow ngx.say;
        output "";
    }
--- must_die
--- error_log
invalid value "" in "output", write a size from 0 to 1g, for instance 1m in nginx.conf:27



=== TEST 68: output 1025m
--- http_config
    hotlua_sandbox tenants {
        allow ngx.say;
        output 1025m;
    }
--- must_die
--- error_log
invalid value "1025m" in "output", write a size from 0 to 1g, for instance 1m in nginx.conf:27



=== TEST 69: output without a value
--- http_config
    hotlua_sandbox tenants {
        allow ngx.say;
        output;
    }
--- must_die
--- error_log
"output" has no value, write a size from 0 to 1g, for instance 1m in nginx.conf:27



=== TEST 70: output with two values
--- http_config
    hotlua_sandbox tenants {
        output 1m 1m;
    }
--- must_die
--- error_log
"output" has more than one value, write a size from 0 to 1g, for instance 1m in nginx.conf:26



=== TEST 71: output twice
--- http_config
    hotlua_sandbox tenants {
        output 1m;
        output 1m;
    }
--- must_die
--- error_log
"output" directive is duplicate in nginx.conf:27



=== TEST 72: status 200
--- http_config
    hotlua_sandbox tenants {
        allow ngx.say;
        status 200;
    }
--- must_die
--- error_log
invalid value "200" in "status", write a status from 400 to 599, for instance 503 in nginx.conf:27



=== TEST 73: status 399
--- http_config
    hotlua_sandbox tenants {
        allow ngx.say;
        status 399;
    }
--- must_die
--- error_log
invalid value "399" in "status", write a status from 400 to 599, for instance 503 in nginx.conf:27



=== TEST 74: status 600
--- http_config
    hotlua_sandbox tenants {
        allow ngx.say;
        status 600;
    }
--- must_die
--- error_log
invalid value "600" in "status", write a status from 400 to 599, for instance 503 in nginx.conf:27



=== TEST 75: status error
--- http_config
    hotlua_sandbox tenants {
        allow ngx.say;
        status error;
    }
--- must_die
--- error_log
invalid value "error" in "status", write a status from 400 to 599, for instance 503 in nginx.conf:27



=== TEST 76: status ""
--- http_config
    hotlua_sandbox tenants {
        allow ngx.say;
        status "";
    }
--- must_die
--- error_log
invalid value "" in "status", write a status from 400 to 599, for instance 503 in nginx.conf:27



=== TEST 77: status 5xx
--- http_config
    hotlua_sandbox tenants {
        allow ngx.say;
        status 5xx;
    }
--- must_die
--- error_log
invalid value "5xx" in "status", write a status from 400 to 599, for instance 503 in nginx.conf:27



=== TEST 78: status without a value
--- http_config
    hotlua_sandbox tenants {
        allow ngx.say;
        status;
    }
--- must_die
--- error_log
"status" has no value, write a status from 400 to 599, for instance 503 in nginx.conf:27



=== TEST 79: status with two values
--- http_config
    hotlua_sandbox tenants {
        status 500 500;
    }
--- must_die
--- error_log
"status" has more than one value, write a status from 400 to 599, for instance 503 in nginx.conf:26



=== TEST 80: status twice
--- http_config
    hotlua_sandbox tenants {
        status 500;
        status 500;
    }
--- must_die
--- error_log
"status" directive is duplicate in nginx.conf:27



=== TEST 81: vms 0
--- http_config
    hotlua_sandbox tenants {
        allow ngx.say;
        vms 0;
    }
--- must_die
--- error_log
invalid value "0" in "vms", write a number from 1 to 65536, for instance 64 in nginx.conf:27



=== TEST 82: vms 65537
--- http_config
    hotlua_sandbox tenants {
        allow ngx.say;
        vms 65537;
    }
--- must_die
--- error_log
invalid value "65537" in "vms", write a number from 1 to 65536, for instance 64 in nginx.conf:27



=== TEST 83: vms -1
--- http_config
    hotlua_sandbox tenants {
        allow ngx.say;
        vms -1;
    }
--- must_die
--- error_log
invalid value "-1" in "vms", write a number from 1 to 65536, for instance 64 in nginx.conf:27



=== TEST 84: vms 64k
--- http_config
    hotlua_sandbox tenants {
        allow ngx.say;
        vms 64k;
    }
--- must_die
--- error_log
invalid value "64k" in "vms", write a number from 1 to 65536, for instance 64 in nginx.conf:27



=== TEST 85: vms ""
--- http_config
    hotlua_sandbox tenants {
        allow ngx.say;
        vms "";
    }
--- must_die
--- error_log
invalid value "" in "vms", write a number from 1 to 65536, for instance 64 in nginx.conf:27



=== TEST 86: vms without a value
--- http_config
    hotlua_sandbox tenants {
        allow ngx.say;
        vms;
    }
--- must_die
--- error_log
"vms" has no value, write a number from 1 to 65536, for instance 64 in nginx.conf:27



=== TEST 87: vms with two values
--- http_config
    hotlua_sandbox tenants {
        vms 1 1;
    }
--- must_die
--- error_log
"vms" has more than one value, write a number from 1 to 65536, for instance 64 in nginx.conf:26



=== TEST 88: vms twice
--- http_config
    hotlua_sandbox tenants {
        vms 1;
        vms 1;
    }
--- must_die
--- error_log
"vms" directive is duplicate in nginx.conf:27



=== TEST 89: per the same for all
--- http_config
    hotlua_sandbox tenants {
        per tenant;
    }
--- must_die
--- error_log
"tenant" in "per" is the same for every request and tells nobody apart, write what tells tenants apart, for instance $host in nginx.conf:26



=== TEST 90: per nothing
--- http_config
    hotlua_sandbox tenants {
        per "";
    }
--- must_die
--- error_log
"" in "per" is the same for every request and tells nobody apart, write what tells tenants apart, for instance $host in nginx.conf:26



=== TEST 91: per an unknown variable
--- http_config
    hotlua_sandbox tenants {
        per $nobody;
    }
--- must_die
--- error_log
unknown "nobody" variable



=== TEST 92: per half a variable
--- http_config
    hotlua_sandbox tenants {
        per ${host;
    }
--- must_die
--- error_log
invalid variable in "${host" in nginx.conf:26
--- grep_error_log: [emerg]
--- grep_error_log_out eval
"[emerg]\n[emerg]\n"



=== TEST 93: per without a value
--- http_config
    hotlua_sandbox tenants {
        per;
    }
--- must_die
--- error_log
"per" has no value, write what tells tenants apart, for instance $host in nginx.conf:26



=== TEST 94: per two values
--- http_config
    hotlua_sandbox tenants {
        per $host $uri;
    }
--- must_die
--- error_log
"per" has more than one value, write what tells tenants apart, for instance $host in nginx.conf:26



=== TEST 95: per twice
--- http_config
    hotlua_sandbox tenants {
        per $host;
        per $uri;
    }
--- must_die
--- error_log
"per" directive is duplicate in nginx.conf:27



=== TEST 96: allow without names
--- http_config
    hotlua_sandbox tenants {
        allow;
    }
--- must_die
--- error_log
"allow" has no value, write names, for instance allow math string ngx.say in nginx.conf:26



=== TEST 97: a name with a slip
--- http_config
    hotlua_sandbox tenants {
        allow math;
        allow string mth;
    }
--- must_die
--- error_log
unknown name "mth", did you mean "math" in nginx.conf:27



=== TEST 98: a name like none
--- http_config
    hotlua_sandbox tenants {
        allow frobnicate;
    }
--- must_die
--- error_log
unknown name "frobnicate", the documentation of "hotlua_sandbox" lists those that may be allowed in nginx.conf:26



=== TEST 99: an empty name to allow
--- http_config
    hotlua_sandbox tenants {
        allow "";
    }
--- must_die
--- error_log
unknown name "", the documentation



=== TEST 100: load is refused
--- http_config
    hotlua_sandbox tenants {
        allow ngx.say load;
    }
--- must_die
--- error_log
"load" cannot be allowed: it makes code of text and of bytecode, which no limit holds



=== TEST 101: require is refused
--- http_config
    hotlua_sandbox tenants {
        allow ngx.say require;
    }
--- must_die
--- error_log
"require" cannot be allowed: it loads other files: a script is one file



=== TEST 102: package.loaded is refused
--- http_config
    hotlua_sandbox tenants {
        allow ngx.say package.loaded;
    }
--- must_die
--- error_log
"package.loaded" cannot be allowed: it loads other files



=== TEST 103: setfenv is refused
--- http_config
    hotlua_sandbox tenants {
        allow ngx.say setfenv;
    }
--- must_die
--- error_log
"setfenv" cannot be allowed: it reaches the globals of other functions



=== TEST 104: debug is refused
--- http_config
    hotlua_sandbox tenants {
        allow ngx.say debug;
    }
--- must_die
--- error_log
"debug" cannot be allowed: it reaches into other functions and turns limits off



=== TEST 105: jit.on is refused
--- http_config
    hotlua_sandbox tenants {
        allow ngx.say jit.on;
    }
--- must_die
--- error_log
"jit.on" cannot be allowed: it steers the compiler, which runs code that no limit sees



=== TEST 106: ffi is refused
--- http_config
    hotlua_sandbox tenants {
        allow ngx.say ffi;
    }
--- must_die
--- error_log
"ffi" cannot be allowed: it reaches all of nginx's memory



=== TEST 107: io.* is refused
--- http_config
    hotlua_sandbox tenants {
        allow ngx.say io.*;
    }
--- must_die
--- error_log
"io.*" cannot be allowed: it reads and writes files



=== TEST 108: os.execute is refused
--- http_config
    hotlua_sandbox tenants {
        allow ngx.say os.execute;
    }
--- must_die
--- error_log
"os.execute" cannot be allowed: it acts on nginx's process and on its files



=== TEST 109: newproxy is refused
--- http_config
    hotlua_sandbox tenants {
        allow ngx.say newproxy;
    }
--- must_die
--- error_log
"newproxy" cannot be allowed: it makes finalizers, which run outside of every limit



=== TEST 110: collectgarbage is refused
--- http_config
    hotlua_sandbox tenants {
        allow ngx.say collectgarbage;
    }
--- must_die
--- error_log
"collectgarbage" cannot be allowed: it steers the collector



=== TEST 111: string.dump is refused
--- http_config
    hotlua_sandbox tenants {
        allow ngx.say string.dump;
    }
--- must_die
--- error_log
"string.dump" cannot be allowed: it makes bytecode



=== TEST 112: print is refused
--- http_config
    hotlua_sandbox tenants {
        allow ngx.say print;
    }
--- must_die
--- error_log
"print" cannot be allowed: it writes into the error log, use ngx.say



=== TEST 113: ngx is refused
--- http_config
    hotlua_sandbox tenants {
        allow ngx.say ngx;
    }
--- must_die
--- error_log
"ngx" cannot be allowed: it is not offered as a whole: name what scripts need, for instance ngx.say



=== TEST 114: ngx.req.* is refused
--- http_config
    hotlua_sandbox tenants {
        allow ngx.say ngx.req.*;
    }
--- must_die
--- error_log
"ngx.req.*" cannot be allowed: it is not offered as a whole: name what scripts need, for instance ngx.req.get_method



=== TEST 115: ngx.var is refused
--- http_config
    hotlua_sandbox tenants {
        allow ngx.say ngx.var;
    }
--- must_die
--- error_log
"ngx.var" cannot be allowed: it would offer every variable: name those that scripts need, for instance ngx.var.host or ngx.var.arg_*



=== TEST 116: ngx.var.* is refused
--- http_config
    hotlua_sandbox tenants {
        allow ngx.say ngx.var.*;
    }
--- must_die
--- error_log
"ngx.var.*" cannot be allowed: it would offer every variable



=== TEST 117: ngx.location.capture is refused
--- http_config
    hotlua_sandbox tenants {
        allow ngx.say ngx.location.capture;
    }
--- must_die
--- error_log
"ngx.location.capture" cannot be allowed: it runs other locations



=== TEST 118: ngx.socket.tcp is refused
--- http_config
    hotlua_sandbox tenants {
        allow ngx.say ngx.socket.tcp;
    }
--- must_die
--- error_log
"ngx.socket.tcp" cannot be allowed: it reaches the network



=== TEST 119: ngx.timer.at is refused
--- http_config
    hotlua_sandbox tenants {
        allow ngx.say ngx.timer.at;
    }
--- must_die
--- error_log
"ngx.timer.at" cannot be allowed: it outlives the run and its limits



=== TEST 120: ngx.shared is refused
--- http_config
    hotlua_sandbox tenants {
        allow ngx.say ngx.shared;
    }
--- must_die
--- error_log
"ngx.shared" cannot be allowed: it belongs to the Lua of the host



=== TEST 121: ngx.log is refused
--- http_config
    hotlua_sandbox tenants {
        allow ngx.say ngx.log;
    }
--- must_die
--- error_log
"ngx.log" cannot be allowed: it writes into the error log of all



=== TEST 122: ngx.sleep is refused
--- http_config
    hotlua_sandbox tenants {
        allow ngx.say ngx.sleep;
    }
--- must_die
--- error_log
"ngx.sleep" cannot be allowed: it keeps a VM while nothing runs in it



=== TEST 123: ngx.req.set_uri is refused
--- http_config
    hotlua_sandbox tenants {
        allow ngx.say ngx.req.set_uri;
    }
--- must_die
--- error_log
"ngx.req.set_uri" cannot be allowed: it changes the request



=== TEST 124: ngx.req.read_body is refused
--- http_config
    hotlua_sandbox tenants {
        allow ngx.say ngx.req.read_body;
    }
--- must_die
--- error_log
"ngx.req.read_body" cannot be allowed: it reads the body



=== TEST 125: ngx.re.match is refused
--- http_config
    hotlua_sandbox tenants {
        allow ngx.say ngx.re.match;
    }
--- must_die
--- error_log
"ngx.re.match" cannot be allowed: it tracks back in C



=== TEST 126: ngx.flush is refused
--- http_config
    hotlua_sandbox tenants {
        allow ngx.say ngx.flush;
    }
--- must_die
--- error_log
"ngx.flush" cannot be allowed: it sends at once



=== TEST 127: hotlua is refused
--- http_config
    hotlua_sandbox tenants {
        allow ngx.say hotlua;
    }
--- must_die
--- error_log
"hotlua" cannot be allowed: it changes the code of the host



=== TEST 128: a star in the middle
--- http_config
    hotlua_sandbox tenants {
        allow ngx.var.a*b;
    }
--- must_die
--- error_log
invalid name "ngx.var.a*b", a "*" stands at its end only, as in ngx.var.arg_* in nginx.conf:26



=== TEST 129: no name of a variable
--- http_config
    hotlua_sandbox tenants {
        allow ngx.var.a-b;
    }
--- must_die
--- error_log
invalid name "ngx.var.a-b", a variable is of letters, digits and "_": ngx.var.host in nginx.conf:26



=== TEST 130: a capture
--- http_config
    hotlua_sandbox tenants {
        allow ngx.var.1;
    }
--- must_die
--- error_log
"ngx.var.1" cannot be allowed: it is a capture, "set" a variable to it and name that one in nginx.conf:26



=== TEST 131: a variable with a slip
--- http_config
    hotlua_sandbox tenants {
        allow ngx.say;
        allow ngx.var.hots;
    }
--- must_die
--- error_log
unknown variable "hots" in "allow ngx.var.hots" at nginx.conf:27, did you mean "ngx.var.host"



=== TEST 132: a variable that is not there
--- http_config
    hotlua_sandbox tenants {
        allow ngx.var.tenant_of_mine;
    }
--- must_die
--- error_log
unknown variable "tenant_of_mine" in "allow ngx.var.tenant_of_mine" at nginx.conf:26



=== TEST 133: a beginning that no variable has
--- http_config
    hotlua_sandbox tenants {
        allow ngx.var.agr_*;
    }
--- must_die
--- error_log
no variable begins with "agr_", in "allow ngx.var.agr_*" at nginx.conf:26



=== TEST 134: a script in http
--- http_config
    hotlua_sandbox tenants {
        allow ngx.say;
    }
    content_by_sandbox_file tenants html/x.lua;
--- must_die
--- error_log
"content_by_sandbox_file" directive is not allowed here



=== TEST 135: a script in a server
--- http_config
    hotlua_sandbox tenants {
        allow ngx.say;
    }
--- config
    content_by_sandbox_file tenants html/x.lua;
--- must_die
--- error_log
"content_by_sandbox_file" directive is not allowed here



=== TEST 136: a script without a profile
--- http_config
    hotlua_sandbox tenants {
        allow ngx.say;
    }
--- config
    location = /s { content_by_sandbox_file html/x.lua; }
--- must_die
--- error_log
invalid number of arguments in "content_by_sandbox_file" directive



=== TEST 137: an empty path
--- http_config
    hotlua_sandbox tenants {
        allow ngx.say;
    }
--- config
    location = /s { content_by_sandbox_file tenants ''; }
--- must_die
--- error_log
"content_by_sandbox_file" needs a profile and the path of a Lua file in nginx.conf:42



=== TEST 138: an empty profile
--- http_config
    hotlua_sandbox tenants {
        allow ngx.say;
    }
--- config
    location = /s { content_by_sandbox_file '' html/x.lua; }
--- must_die
--- error_log
"content_by_sandbox_file" needs a profile and the path of a Lua file in nginx.conf:42



=== TEST 139: a profile that is not there
--- http_config
    hotlua_sandbox tenants {
        allow ngx.say;
    }
    hotlua_sandbox b { allow math; }
--- config
    location = /s { content_by_sandbox_file tenant html/x.lua; }
--- must_die
--- error_log
unknown sandbox profile "tenant" in "content_by_sandbox_file" at nginx.conf:43, the profiles are "tenants", "b" in



=== TEST 140: no profiles
--- config
    location = /s { content_by_sandbox_file tenants html/x.lua; }
--- must_die
--- error_log
unknown sandbox profile "tenants" in "content_by_sandbox_file" at nginx.conf:39, write a "hotlua_sandbox tenants { ... }" in



=== TEST 141: untrusted: /$arg_x.lua
--- http_config
    hotlua_sandbox tenants {
        allow ngx.say;
    }
--- config
    location = /s { content_by_sandbox_file tenants /$arg_x.lua; }
--- must_die
--- error_log
"/$arg_x.lua" in "content_by_sandbox_file" makes all of "/" untrusted, write the directory that holds the scripts, for instance /srv/scripts/$host.lua in nginx.conf:42



=== TEST 142: untrusted: /x.lua
--- http_config
    hotlua_sandbox tenants {
        allow ngx.say;
    }
--- config
    location = /s { content_by_sandbox_file tenants /x.lua; }
--- must_die
--- error_log
"/x.lua" in "content_by_sandbox_file" makes all of "/" untrusted, write the directory that holds the scripts, for instance /srv/scripts/$host.lua in nginx.conf:42



=== TEST 143: untrusted: /srv/../$arg_x.lua
--- http_config
    hotlua_sandbox tenants {
        allow ngx.say;
    }
--- config
    location = /s { content_by_sandbox_file tenants /srv/../$arg_x.lua; }
--- must_die
--- error_log
"/srv/../$arg_x.lua" in "content_by_sandbox_file" makes all of "/" untrusted, write the directory that holds the scripts, for instance /srv/scripts/$host.lua in nginx.conf:42



=== TEST 144: untrusted: $arg_x.lua
--- http_config
    hotlua_sandbox tenants {
        allow ngx.say;
    }
--- config
    location = /s { content_by_sandbox_file tenants $arg_x.lua; }
--- must_die
--- error_log
"$arg_x.lua" in "content_by_sandbox_file" makes all of nginx's prefix untrusted, write the directory that holds the scripts, for instance /srv/scripts/$host.lua in nginx.conf:42



=== TEST 145: untrusted: x.lua
--- http_config
    hotlua_sandbox tenants {
        allow ngx.say;
    }
--- config
    location = /s { content_by_sandbox_file tenants x.lua; }
--- must_die
--- error_log
"x.lua" in "content_by_sandbox_file" makes all of nginx's prefix untrusted, write the directory that holds the scripts, for instance /srv/scripts/$host.lua in nginx.conf:42



=== TEST 146: untrusted: ./$arg_x.lua
--- http_config
    hotlua_sandbox tenants {
        allow ngx.say;
    }
--- config
    location = /s { content_by_sandbox_file tenants ./$arg_x.lua; }
--- must_die
--- error_log
"./$arg_x.lua" in "content_by_sandbox_file" makes all of nginx's prefix untrusted, write the directory that holds the scripts, for instance /srv/scripts/$host.lua in nginx.conf:42



=== TEST 147: half a variable in a path
--- http_config
    hotlua_sandbox tenants {
        allow ngx.say;
    }
--- config
    location = /s { content_by_sandbox_file tenants 'html/${x.lua'; }
--- must_die
--- error_log
invalid variable in "html/${x.lua" in nginx.conf:42
--- grep_error_log: [emerg]
--- grep_error_log_out eval
"[emerg]\n[emerg]\n"



=== TEST 148: an unknown variable in a path
--- http_config
    hotlua_sandbox tenants {
        allow ngx.say;
    }
--- config
    location = /s { content_by_sandbox_file tenants html/$nobody.lua; }
--- must_die
--- error_log
unknown "nobody" variable



=== TEST 149: a script twice
--- http_config
    hotlua_sandbox tenants {
        allow ngx.say;
    }
--- config
    location = /s { content_by_sandbox_file tenants html/x.lua; content_by_sandbox_file tenants html/x.lua; }
--- must_die
--- error_log
"content_by_sandbox_file" directive is duplicate in nginx.conf:42



=== TEST 150: a script and Lua
--- http_config
    hotlua_sandbox tenants {
        allow ngx.say;
    }
--- config
    location = /s { content_by_sandbox_file tenants html/x.lua; content_by_lua_block { ngx.say(1) } }
--- must_die
--- error_log
"content_by_lua_block" makes a duplicate content handler: the location has "content_by_sandbox_file" already in nginx.conf:42



=== TEST 151: Lua and a script
--- http_config
    hotlua_sandbox tenants {
        allow ngx.say;
    }
--- config
    location = /s { content_by_lua_block { ngx.say(1) } content_by_sandbox_file tenants html/x.lua; }
--- must_die
--- error_log
"content_by_sandbox_file" makes a duplicate content handler: the location has "content_by_lua" already in nginx.conf:42



=== TEST 152: a script and the control API
--- http_config
    hotlua_sandbox tenants {
        allow ngx.say;
    }
--- config
    location = /s { content_by_sandbox_file tenants html/x.lua; hotlua_control; }
--- must_die
--- error_log
"hotlua_control" makes a duplicate content handler: the location has "content_by_sandbox_file" already in nginx.conf:42



=== TEST 153: the control API and a script
--- http_config
    hotlua_sandbox tenants {
        allow ngx.say;
    }
--- config
    location = /s { hotlua_control; content_by_sandbox_file tenants html/x.lua; }
--- must_die
--- error_log
"content_by_sandbox_file" makes a duplicate content handler: the location has "hotlua_control" already in nginx.conf:42
