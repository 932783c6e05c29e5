# ngx.req.set_body_data, set_body_file, init_body, append_body, finish_body.
use Test::Nginx::Socket 'no_plan';

# An upstream in the same nginx that tells what it got.
our $upstream = <<'CONF';
    location = /upstream {
        content_by_lua_block {
            ngx.req.read_body()
            local body = ngx.req.get_body_data()
            if not body and ngx.req.get_body_file() then
                local file = assert(io.open(ngx.req.get_body_file()))
                body = file:read("*a")
                file:close()
            end
            ngx.print(ngx.var.http_content_length, " ", ngx.var.http_transfer_encoding, " ", body)
        }
    }
CONF

no_long_string();
run_tests();

__DATA__

=== TEST 1: a new body in memory is what is read, counted and proxied
--- config eval
$::upstream . <<'CONF'
    location = /t {
        rewrite_by_lua_block {
            ngx.req.read_body()
            ngx.req.set_body_data("a new body")
            local headers = ngx.req.get_headers()
            ngx.ctx.seen = ngx.req.get_body_data() .. "|" .. tostring(ngx.req.get_body_file()) .. "|"
                .. headers["Content-Length"] .. "|" .. ngx.var.content_length .. "|" .. ngx.var.request_body
        }
        header_filter_by_lua_block { ngx.header.X_Seen = ngx.ctx.seen }
        proxy_pass http://127.0.0.1:$TEST_NGINX_SERVER_PORT/upstream;
    }
CONF
--- pipelined_requests eval
["POST /t\nold", "POST /t\n" . "old" x 100]
--- response_body eval
["10 nil a new body", "10 nil a new body"]
--- response_headers eval
my $seen = "X-Seen: a new body|nil|10|10|a new body";
[$seen, $seen]
--- no_error_log
[error]

=== TEST 2: an empty body, a number, and bytes of all kinds
--- config eval
$::upstream . <<'CONF'
    location = /t {
        rewrite_by_lua_block {
            ngx.req.read_body()
            local new = { empty = "", number = 12.5, bytes = "\0\r\n\255" }
            ngx.req.set_body_data(new[ngx.var.arg_new])
        }
        proxy_pass http://127.0.0.1:$TEST_NGINX_SERVER_PORT/upstream;
    }
CONF
--- pipelined_requests eval
["POST /t?new=empty\nold", "POST /t?new=number\nold", "GET /t?new=bytes"]
--- response_body eval
["0 nil nil", "4 nil 12.5", "4 nil \0\r\n\xff"]
--- no_error_log
[error]

=== TEST 3: the place of a chunked body and of one in a file is taken too
--- config eval
$::upstream . <<'CONF'
    location = /t {
        client_body_in_file_only clean;
        rewrite_by_lua_block {
            ngx.req.read_body()
            assert(ngx.req.get_body_file())
            ngx.req.set_body_data("short")
            assert(not ngx.req.get_body_file())
        }
        proxy_pass http://127.0.0.1:$TEST_NGINX_SERVER_PORT/upstream;
    }
CONF
--- raw_request eval
"POST /t HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n8\r\nold body\r\n0\r\n\r\n"
--- response_body chop
5 nil short
--- no_error_log
[error]

=== TEST 4: a file is the body, and stays where it is
--- config eval
$::upstream . <<'CONF'
    location = /t {
        rewrite_by_lua_block {
            ngx.req.read_body()
            local path = ngx.config.prefix() .. "html/body.txt"
            ngx.req.set_body_file(path)
            assert(ngx.req.get_body_file() == path)
            assert(ngx.req.get_body_data() == nil)
        }
        proxy_pass http://127.0.0.1:$TEST_NGINX_SERVER_PORT/upstream;
    }
CONF
--- user_files eval
">>> body.txt\n" . "0123456789" x 5000
--- pipelined_requests eval
["POST /t\nold", "GET /t"]
--- response_body eval
my $body = "0123456789" x 5000;
["50000 nil $body", "50000 nil $body"]
--- no_error_log
[error]

=== TEST 5: a file that is removed: with the request, or as soon as another body takes its place
--- config
    location = /t {
        content_by_lua_block {
            ngx.req.read_body()
            local first, second = ngx.config.prefix() .. "html/first", ngx.config.prefix() .. "html/second"
            for _, path in ipairs { first, second } do
                local file = assert(io.open(path, "w"))
                file:write(path)
                file:close()
            end
            ngx.req.set_body_file(first, true)
            ngx.req.set_body_file(second, true)
            ngx.say(io.open(first) and "there" or "gone", " ", io.open(second) and "there" or "gone")
        }
    }
    location = /later {
        content_by_lua_block { ngx.say(io.open(ngx.config.prefix() .. "html/second") and "there" or "gone") }
    }
--- init
chmod 0777, Test::Nginx::Socket::html_dir();
--- pipelined_requests eval
["GET /t", "GET /later"]
--- response_body eval
["gone there\n", "gone\n"]
--- no_error_log
[error]
[alert]

=== TEST 6: a body of pieces that fits, that just fits, and that does not
--- config eval
$::upstream . <<'CONF'
    location = /t {
        rewrite_by_lua_block {
            ngx.req.read_body()
            ngx.req.init_body(tonumber(ngx.var.arg_room))
            for _, piece in ipairs { "abc", "", 4, "defg" } do ngx.req.append_body(piece) end
            ngx.req.finish_body()
            ngx.ctx.place = ngx.req.get_body_file() and "file" or "memory"
        }
        header_filter_by_lua_block { ngx.header.X_Place = ngx.ctx.place }
        proxy_pass http://127.0.0.1:$TEST_NGINX_SERVER_PORT/upstream;
    }
CONF
--- pipelined_requests eval
["GET /t?room=100", "POST /t?room=8\nold", "GET /t?room=7", "GET /t?room=2", "GET /t?room=0"]
--- response_body eval
[("8 nil abc4defg") x 5]
--- response_headers eval
["X-Place: memory", "X-Place: memory", "X-Place: file", "X-Place: file", "X-Place: file"]
--- no_error_log
[error]

=== TEST 7: pieces beyond client_body_buffer_size go to a file
--- config
    client_body_buffer_size 1k;
    location = /t {
        content_by_lua_block {
            ngx.req.read_body()
            ngx.req.init_body()
            for i = 1, 300 do ngx.req.append_body(("%09d\n"):format(i)) end
            ngx.req.finish_body()
            local path = ngx.req.get_body_file()
            local file = assert(io.open(path))
            local text = file:read("*a")
            file:close()
            ngx.say(#text, " ", text:sub(1, 9), " ", text:sub(-10, -2), " ", ngx.var.http_content_length)
            ngx.say(path)
        }
    }
--- request
GET /t
--- response_body_like chop
^3000 000000001 000000300 3000
.*client_body_temp/
--- error_log
a client request body is buffered to a temporary file
--- no_error_log
[error]

=== TEST 8: without pieces the body is empty; more pieces may follow
--- config
    location = /t {
        content_by_lua_block {
            ngx.req.read_body()
            ngx.req.init_body()
            ngx.req.finish_body()
            ngx.say(ngx.req.get_body_data(), " ", ngx.var.http_content_length)
            ngx.req.append_body("one")
            ngx.req.finish_body()
            ngx.req.append_body(" more")
            ngx.req.finish_body()
            ngx.say(ngx.req.get_body_data(), " ", ngx.var.http_content_length)
            ngx.req.set_body_data("other")
            ngx.say(pcall(ngx.req.append_body, "x"))
        }
    }
--- request
POST /t
old
--- response_body
nil 0
one more 8
falserequest_body not initialized
--- no_error_log
[error]

=== TEST 9: what cannot be done raises and changes nothing
--- config
    location = /t {
        content_by_lua_block {
            local req = ngx.req
            local function refused(call, ...)
                local ok, err = pcall(call, ...)
                local prefix = ngx.config.prefix():gsub("%p", "%%%0")
                ngx.say(ok and "done" or (err:gsub("^.-:%d+: ", ""):gsub(prefix, ""):gsub("%z", "NUL")))
            end
            refused(function() req.set_body_data("x") end)
            refused(function() req.set_body_file("/etc/hostname") end)
            refused(function() req.init_body() end)
            refused(function() req.append_body("x") end)
            refused(function() req.finish_body() end)
            req.read_body()
            refused(function() req.set_body_data() end)
            refused(function() req.set_body_data("a", "b") end)
            refused(function() req.set_body_data(nil) end)
            refused(function() req.set_body_data({}) end)
            refused(function() req.set_body_file() end)
            refused(function() req.set_body_file("a", true, 1) end)
            refused(function() req.set_body_file(nil) end)
            refused(function() req.set_body_file("a", 1) end)
            refused(function() req.set_body_file(ngx.config.prefix() .. "missing") end)
            refused(function() req.set_body_file("") end)
            refused(function() req.set_body_file(ngx.config.prefix() .. "html") end)
            refused(function() req.set_body_file(ngx.config.prefix() .. "conf/nginx.conf\0.txt") end)
            refused(function() req.init_body(1, 2) end)
            refused(function() req.init_body("x") end)
            refused(function() req.init_body(-1) end)
            refused(function() req.append_body("x") end)
            refused(function() req.finish_body() end)
            refused(function() req.finish_body(1) end)
            req.init_body()
            refused(function() req.append_body(nil) end)
            refused(function() req.append_body() end)
            req.append_body("kept")
            req.finish_body()
            refused(function() req.init_body(-1) end)
            ngx.say(req.get_body_data())
        }
    }
--- request
POST /t
old
--- response_body
request body not read yet
request body not read yet
request body not read yet
request_body not initialized
request_body not initialized
expecting 1 arguments but seen 0
expecting 1 arguments but seen 2
bad argument #1 to 'set_body_data' (string expected, got nil)
bad argument #1 to 'set_body_data' (string expected, got table)
expecting 1 or 2 arguments but seen 0
expecting 1 or 2 arguments but seen 3
bad argument #1 to 'set_body_file' (string expected, got nil)
bad argument #2 to 'set_body_file' (boolean expected, got number)
stat() "missing" failed
stat() "" failed
open() "html" failed
open() "conf/nginx.confNUL.txt" failed
expecting 0 or 1 argument but seen 2
bad argument #1 to 'init_body' (number expected, got string)
bad size argument: -1
request_body not initialized
request_body not initialized
expecting 0 argument but seen 1
bad argument #1 to 'append_body' (string expected, got nil)
expecting 1 arguments but seen 0
bad size argument: -1
kept
--- no_error_log
[error]
[alert]

=== TEST 10: a piece that no piece of memory can hold goes through
--- config
    location = /t {
        content_by_lua_block {
            ngx.req.read_body()
            ngx.req.init_body(10 * 1024 * 1024 * 1024)
            ngx.req.append_body("small")
            ngx.req.finish_body()
            ngx.say(ngx.req.get_body_data())
        }
    }
--- request
GET /t
--- response_body
small
--- no_error_log
[error]
