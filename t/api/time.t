# ngx.now, ngx.time, ngx.today, ngx.localtime, ngx.utctime, HTTP and cookie dates.
use Test::Nginx::Socket 'no_plan';

no_long_string();
run_tests();

__DATA__

=== TEST 1: the clock
--- config
    location = /t {
        content_by_lua_block {
            ngx.update_time()
            local now, time, clock = ngx.now(), ngx.time(), os.time()
            ngx.say(math.floor(now) == time, " ", math.abs(time - clock) <= 1, " ", type(now), " ", time % 1)
            ngx.say(ngx.today())
            ngx.say(ngx.localtime())
            ngx.say(ngx.utctime())
            ngx.say(ngx.localtime():sub(1, 10) == ngx.today(), " ", os.date("!%Y-%m-%d") == ngx.utctime():sub(1, 10))
        }
    }
--- request
GET /t
--- response_body_like
^true true number 0
\d{4}-\d\d-\d\d
\d{4}-\d\d-\d\d \d\d:\d\d:\d\d
\d{4}-\d\d-\d\d \d\d:\d\d:\d\d
true true$
--- no_error_log
[error]

=== TEST 2: dates
--- config
    location = /t {
        content_by_lua_block {
            ngx.say(ngx.http_time(1290079655))
            ngx.say(ngx.cookie_time(1290079655))
            ngx.say(ngx.cookie_time(2147483648))
            ngx.say(ngx.http_time(1.9), " ", ngx.http_time(-5))
            ngx.say(ngx.parse_http_time("Thu, 18 Nov 2010 11:27:35 GMT"))
            ngx.say(ngx.parse_http_time(ngx.http_time(0)), " ", ngx.parse_http_time("yesterday"))
        }
    }
--- request
GET /t
--- response_body
Thu, 18 Nov 2010 11:27:35 GMT
Thu, 18-Nov-10 11:27:35 GMT
Tue, 19-Jan-2038 03:14:08 GMT
Thu, 01 Jan 1970 00:00:01 GMT Thu, 01 Jan 1970 00:00:00 GMT
1290079655
0 nil
--- no_error_log
[error]

=== TEST 3: wrong types
--- config
    location = /t {
        content_by_lua_block {
            ngx.say(select(2, pcall(ngx.http_time, "1")))
            ngx.say(select(2, pcall(ngx.cookie_time)))
            ngx.say(select(2, pcall(ngx.parse_http_time, 1)))
        }
    }
--- request
GET /t
--- response_body
number argument only
number argument only
string argument only
--- no_error_log
[error]
