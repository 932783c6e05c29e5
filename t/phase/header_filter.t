# header_filter_by_lua*
use Test::Nginx::Socket 'no_plan';

run_tests();

__DATA__

=== TEST 1: it changes headers and status of a static file
--- config
    location /index.html {
        header_filter_by_lua_block {
            ngx.header["X-Phase"] = ngx.get_phase()
            ngx.header["Content-Type"] = "text/x-lua"
            ngx.header["Last-Modified"] = nil
            ngx.status = 201
        }
    }
--- user_files
>>> index.html
the file
--- request
GET /index.html
--- error_code: 201
--- response_headers
X-Phase: header_filter
Content-Type: text/x-lua
!Last-Modified
--- response_body
the file



=== TEST 2: it shares ngx.ctx with the content, and sees what that has set
--- config
    location /t {
        content_by_lua_block { ngx.header.X_One = "1" ngx.ctx.two = "2" ngx.say("body") }
        header_filter_by_lua_block { ngx.header.X_Two = ngx.header.X_One .. ngx.ctx.two }
    }
--- request
GET /t
--- response_headers
X-One: 1
X-Two: 12
--- response_body
body



=== TEST 3: it runs while the header is not sent yet
--- config
    location /t {
        content_by_lua_block { ngx.say("body") ngx.log(ngx.WARN, "then: ", ngx.headers_sent) }
        header_filter_by_lua_block { ngx.log(ngx.WARN, "there: ", ngx.headers_sent) }
    }
--- request
GET /t
--- error_log
there: false
then: true



=== TEST 4: ngx.exit answers by another status, and the Lua goes on to its end
--- config
    location /t {
        content_by_lua_block { ngx.say("body") }
        header_filter_by_lua_block { ngx.exit(403) ngx.log(ngx.WARN, "went on") }
    }
--- request
GET /t
--- error_code: 403
--- response_body_like: 403 Forbidden
--- error_log
went on



=== TEST 5: the error page of that runs its own location's filter
--- config
    error_page 403 = /page;
    location /t {
        content_by_lua_block { ngx.say("body") }
        header_filter_by_lua_block { ngx.exit(403) }
    }
    location = /page {
        header_filter_by_lua_block { ngx.header.X_Page = "yes" ngx.status = 200 }
        content_by_lua_block { ngx.say("page") }
    }
--- request
GET /t
--- error_code: 200
--- response_headers
X-Page: yes
--- response_body
page



=== TEST 6: what it raises ends the response
--- config
    location /t {
        content_by_lua_block { ngx.say("body") }
        header_filter_by_lua_block { local function inner() error("broken") end inner() }
    }
--- request
GET /t
--- ignore_response
--- error_log
failed to run header_filter_by_lua*: header_filter_by_lua(nginx.conf:
broken
in function 'inner'



=== TEST 7: what cannot be done there says so
--- config
    location /t {
        content_by_lua_block { ngx.say("body") }
        header_filter_by_lua_block {
            local texts = {}
            for name, call in pairs {
                say = function() ngx.say("x") end, sleep = function() ngx.sleep(0) end, exec = function() ngx.exec("/t") end,
                redirect = function() ngx.redirect("/t") end, read = function() ngx.req.read_body() end,
                flush = function() ngx.flush() end, eof = function() ngx.eof() end, arg = function() return ngx.arg[1] end,
            } do
                local _, err = pcall(call)
                texts[#texts + 1] = name .. "=" .. err:gsub("^.-:%d+: ", "")
            end
            table.sort(texts)
            ngx.ctx.texts = table.concat(texts, "\n")
        }
        log_by_lua_block { for line in ngx.ctx.texts:gmatch("[^\n]+") do ngx.log(ngx.WARN, line) end }
    }
--- request
GET /t
--- error_log
arg=API disabled in the current context
eof=API disabled in the context of header_filter_by_lua*
exec=API disabled in the context of header_filter_by_lua*
flush=API disabled in the context of header_filter_by_lua*
read=API disabled in the context of header_filter_by_lua*
redirect=API disabled in the context of header_filter_by_lua*
say=API disabled in the context of header_filter_by_lua*
sleep=API disabled in the context of header_filter_by_lua*



=== TEST 8: it runs for nginx's own error pages, and for HEAD
--- config
    header_filter_by_lua_block { ngx.header.X_Seen = ngx.status }
    location /t { content_by_lua_block { ngx.say("body") } }
--- pipelined_requests eval
["GET /none", "HEAD /t"]
--- error_code eval
[404, 200]
--- response_headers eval
["X-Seen: 404", "X-Seen: 200"]
