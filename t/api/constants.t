# The numbers of ngx.*, ngx.null, ngx.worker, ngx.config, ngx.exit.
use Test::Nginx::Socket 'no_plan';

no_long_string();
run_tests();

__DATA__

=== TEST 1: numbers
--- config
    location = /t {
        content_by_lua_block {
            ngx.say(ngx.OK, " ", ngx.ERROR, " ", ngx.AGAIN, " ", ngx.DONE, " ", ngx.DECLINED)
            ngx.say(ngx.STDERR, ngx.EMERG, ngx.ALERT, ngx.CRIT, ngx.ERR, ngx.WARN, ngx.NOTICE, ngx.INFO, ngx.DEBUG)
            ngx.say(ngx.HTTP_GET, " ", ngx.HTTP_POST, " ", ngx.HTTP_PUT, " ", ngx.HTTP_TRACE)
            ngx.say(ngx.HTTP_OK, " ", ngx.HTTP_SEE_OTHER, " ", ngx.HTTP_NOT_FOUND, " ", ngx.HTTP_GONE)
            ngx.say(ngx.HTTP_NOT_IMPLEMENTED == ngx.HTTP_METHOD_NOT_IMPLEMENTED)
        }
    }
--- request
GET /t
--- response_body
0 -1 -2 -4 -5
012345678
2 8 16 32768
200 303 404 410
true
--- no_error_log
[error]

=== TEST 2: null
--- config
    location = /t {
        content_by_lua_block {
            ngx.say(type(ngx.null), " ", tostring(ngx.null), " ", ngx.null == nil)
        }
    }
--- request
GET /t
--- response_body
userdata userdata: NULL false
--- no_error_log
[error]

=== TEST 3: the worker and the configuration
--- config
    location = /t {
        content_by_lua_block {
            local worker, config = ngx.worker, ngx.config
            ngx.say(worker.pid() == tonumber(ngx.var.pid), " ", worker.id(), " ", worker.count(), " ", worker.exiting())
            ngx.say(config.subsystem, " ", type(config.debug), " ", config.ngx_lua_version)
            local major, minor, patch = ngx.var.nginx_version:match "(%d+)%.(%d+)%.(%d+)"
            ngx.say(config.nginx_version == major * 1000000 + minor * 1000 + patch)
            ngx.say(config.prefix():sub(-1), " ", config.nginx_configure():match "%-%-with%-compat")
        }
    }
--- request
GET /t
--- response_body
true 0 1 false
http boolean 10023
true
/ --with-compat
--- no_error_log
[error]

=== TEST 4: exit with an error page
--- config
    location = /t {
        content_by_lua_block {
            ngx.exit(ngx.HTTP_FORBIDDEN)
            ngx.log(ngx.ERR, "went on")
        }
    }
--- request
GET /t
--- error_code: 403
--- response_body_like: 403 Forbidden
--- no_error_log
[error]

=== TEST 5: exit after output keeps the status that was sent
--- config
    location = /t {
        content_by_lua_block {
            ngx.say("sent")
            ngx.exit(404)
        }
    }
--- request
GET /t
--- response_body
sent
--- error_log
attempt to set status 404 via ngx.exit after sending out the response status 200

=== TEST 6: exit(0) and exit(200) end the handler
--- config
    location = /zero {
        content_by_lua_block { ngx.say("zero") ngx.exit(ngx.OK) ngx.say("lost") }
    }
    location = /ok {
        content_by_lua_block { ngx.say("ok") ngx.exit(ngx.HTTP_OK) ngx.say("lost") }
    }
    location = /empty {
        content_by_lua_block { ngx.exit(201) }
    }
--- pipelined_requests eval
["GET /zero", "GET /ok", "GET /empty"]
--- response_body eval
["zero\n", "ok\n", ""]
--- error_code eval
[200, 200, 201]
--- no_error_log
[error]

=== TEST 7: what exit refuses
--- config
    location = /t {
        content_by_lua_block {
            for _, status in ipairs { ngx.AGAIN, ngx.DONE, "403", true } do
                local ok, err = pcall(function() local _ = ngx.exit(status) end)
                ngx.say((err:gsub("^.-:%d+: ", "")))
            end
        }
    }
--- request
GET /t
--- response_body
bad argument to 'ngx.exit': does not accept NGX_AGAIN or NGX_DONE
bad argument to 'ngx.exit': does not accept NGX_AGAIN or NGX_DONE
bad argument #1 to 'exit' (number expected, got string)
bad argument #1 to 'exit' (number expected, got boolean)
--- no_error_log
[error]



=== TEST 8: ngx is a module too
--- config
    location = /t {
        content_by_lua_block {
            ngx.say(require "ngx" == ngx)
        }
    }
--- request
GET /t
--- response_body
true
--- no_error_log
[error]
