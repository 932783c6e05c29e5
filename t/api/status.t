# ngx.status and ngx.headers_sent.
use Test::Nginx::Socket 'no_plan';

run_tests();

__DATA__

=== TEST 1: a status is 0 until one is set, and then the response's
--- config
    location /t {
        content_by_lua_block {
            local before = ngx.status
            ngx.status = 201
            ngx.say(before, " ", type(before), " ", ngx.status)
        }
    }
--- request
GET /t
--- error_code: 201
--- response_body
0 number 201



=== TEST 2: a number as text is taken, one without words too
--- config
    location /text { content_by_lua_block { ngx.status = "404" ngx.say(ngx.status) } }
    location /wordless { content_by_lua_block { ngx.status = 599 ngx.say(ngx.status) } }
--- pipelined_requests eval
["GET /text", "GET /wordless"]
--- error_code eval
[404, 599]
--- response_body eval
["404\n", "599\n"]



=== TEST 3: what is no number raises
--- config
    location /t {
        content_by_lua_block {
            local function try(value)
                local ok, err = pcall(function()
                    ngx.status = value
                end)
                return tostring(ok) .. " " .. tostring(err):gsub("^.-:%d+%):", "")
            end
            ngx.say(try("teapot"), "\n", try({}), "\n", try(nil))
        }
    }
--- request
GET /t
--- error_code: 200
--- response_body
false 4: bad status: number expected, got string
false 4: bad status: number expected, got table
false 4: bad status: number expected, got nil



=== TEST 4: setting after the header was sent is logged and changes nothing
--- config
    location /t {
        content_by_lua_block {
            local before = ngx.headers_sent
            ngx.say("sent")
            local after = ngx.headers_sent
            ngx.status = 404
            ngx.say(ngx.status, " ", tostring(before), " ", tostring(after))
        }
    }
--- request
GET /t
--- error_code: 200
--- response_body
sent
200 false true
--- error_log
attempt to set ngx.status after sending out response headers



=== TEST 5: a status without a body
--- config
    location /t { content_by_lua_block { ngx.status = 204 ngx.say("no one sees it") } }
--- request
GET /t
--- error_code: 204
--- response_headers
! Content-Type
! Content-Length
--- response_body



=== TEST 6: a 304 names no type
--- config
    location /t { content_by_lua_block { ngx.status = 304 ngx.say("no one sees it") } }
--- request
GET /t
--- error_code: 304
--- response_headers
! Content-Type
--- response_body



=== TEST 7: a HTTP/1.0 response can be changed until its end
--- config
    location /t {
        content_by_lua_block {
            ngx.say("gathered")
            ngx.status = 203
            ngx.header.x_late = "1"
            ngx.say(tostring(ngx.headers_sent))
        }
    }
--- request
GET /t HTTP/1.0
--- error_code: 203
--- response_headers
x-late: 1
--- response_body
gathered
false



=== TEST 8: other fields of ngx are plain ones
--- config
    location /t {
        content_by_lua_block {
            ngx.mine = "kept"
            ngx.say(ngx.mine, " ", tostring(ngx.no_such), " ", tostring(rawget(ngx, "status")))
        }
    }
--- request
GET /t
--- response_body
kept nil nil



=== TEST 9: no request, no status
--- http_config
    init_by_lua_block {
        local _, get = pcall(function() return tostring(ngx.status) end)
        local _, set = pcall(function() ngx.status = 200 end)
        local _, header = pcall(function() ngx.header.x = 1 end)
        errors = table.concat({ get, set, header }, "\n")
    }
--- config
    location /t { content_by_lua_block { ngx.say(errors) } }
--- request
GET /t
--- response_body_like
no request found
.*no request found
.*no request found
