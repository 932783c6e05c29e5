# ngx.header and ngx.resp.get_headers.
use Test::Nginx::Socket 'no_plan';

run_tests();

__DATA__

=== TEST 1: a header is set, in the case it was written, with dashes for underscores
--- config
    location /t {
        content_by_lua_block {
            ngx.header["X-One"] = "1"
            ngx.header.x_two = 2
            ngx.header.X_Half = 0.5
            ngx.say(ngx.header.x_one, " ", ngx.header["X-TWO"], " ", type(ngx.header.x_two))
        }
    }
--- request
GET /t
--- response_headers
X-One: 1
x-two: 2
X-Half: 0.5
--- response_body
1 2 string
--- no_error_log
[error]



=== TEST 2: underscores stay where the directive says so
--- config
    location /t {
        lua_transform_underscores_in_response_headers off;
        content_by_lua_block {
            ngx.header.x_two = 2
            ngx.say(ngx.header.x_two, " ", tostring(ngx.header["x-two"]))
        }
    }
--- request
GET /t
--- raw_response_headers_like: x_two: 2\r\n
--- response_body
2 nil



=== TEST 3: a table gives several headers; nil, an empty string and an empty table remove
--- config
    location /t {
        content_by_lua_block {
            ngx.header["Set-Cookie"] = {"a=1", "b=2", 3}
            ngx.header.x_nil, ngx.header.x_empty, ngx.header.x_table = "a", "b", {"c", "d"}
            ngx.header.x_nil, ngx.header.x_empty, ngx.header.x_table = nil, "", {}
            local cookies = ngx.header.set_cookie
            ngx.say(type(cookies), " ", table.concat(cookies, "|"))
            ngx.say(tostring(ngx.header.x_nil), tostring(ngx.header.x_empty), tostring(ngx.header.x_table))
        }
    }
--- request
GET /t
--- response_headers
! X-Nil
! X-Empty
! X-Table
--- raw_response_headers_like: Set-Cookie: a=1\r\nSet-Cookie: b=2\r\nSet-Cookie: 3\r\n
--- response_body
table a=1|b=2|3
nilnilnil



=== TEST 4: a later value replaces all earlier ones
--- config
    location /t {
        content_by_lua_block {
            ngx.header.x_many = {"a", "b", "c"}
            ngx.header.X_MANY = "d"
            ngx.header.cache_control = {"private", "no-store"}
            ngx.header["Cache-Control"] = "public"
            ngx.say(ngx.header.x_many, " ", ngx.header.cache_control, " ", ngx.var.sent_http_cache_control)
        }
    }
--- request
GET /t
--- response_headers
x-many: d
cache-control: public
--- response_body
d public public



=== TEST 5: of a header that has one value the last is taken
--- config
    location /t {
        content_by_lua_block {
            ngx.header.content_type = {"text/html", "text/plain"}
            ngx.header.etag = {'"1"', '"2"'}
            ngx.say(ngx.header.content_type, ngx.header.etag)
        }
    }
--- request
GET /t
--- response_headers
Content-Type: text/plain
ETag: "2"
--- response_body
text/plain"2"



=== TEST 6: neither a name nor a value can begin another header
--- config
    location /t {
        content_by_lua_block {
            ngx.header["X-A\r\nX-Evil"] = "x"
            ngx.header.x_b = "one\r\nX-Evil: two\0\127\tthree"
            ngx.header.x_c = {"p\nX-Evil: q", "r"}
            ngx.header.content_type = "text/plain\r\nX-Evil: s"
            ngx.say(ngx.header.x_b)
        }
    }
--- request
GET /t
--- response_headers
! X-Evil
X-A%0D%0AX-Evil: x
x-b: one%0D%0AX-Evil: two%00%7F	three
Content-Type: text/plain%0D%0AX-Evil: s
--- response_body eval
"one%0D%0AX-Evil: two%00%7F\tthree\n"



=== TEST 7: the content type's default, removal and charset
--- config
    default_type text/css;
    charset utf-8;
    charset_types *;
    location /default { content_by_lua_block { ngx.print("") } }
    location /none { content_by_lua_block { ngx.header.content_type = nil ngx.print("") } }
    location /plain { content_by_lua_block { ngx.header.content_type = "text/plain" ngx.print("") } }
    location /own { content_by_lua_block { ngx.header.content_type = "text/plain; charset=ascii" ngx.print("") } }
--- pipelined_requests eval
["GET /default", "GET /none", "GET /plain", "GET /own"]
--- response_headers eval
["Content-Type: text/css; charset=utf-8", "! Content-Type", "Content-Type: text/plain; charset=utf-8",
    "Content-Type: text/plain; charset=ascii"]
--- response_body eval
["", "", "", ""]



=== TEST 8: a length is kept, and its removal brings chunks back
--- config
    location /length { content_by_lua_block { ngx.header.content_length = 3 ngx.print("abc") } }
    location /removed {
        content_by_lua_block {
            ngx.header.content_length = 3
            ngx.header["Content-Length"] = nil
            ngx.print("abcdef")
        }
    }
--- pipelined_requests eval
["GET /length", "GET /removed"]
--- response_headers eval
["Content-Length: 3\n! Transfer-Encoding", "Transfer-Encoding: chunked\n! Content-Length"]
--- response_body eval
["abc", "abcdef"]



=== TEST 9: a length that is none raises where it is set
--- config
    location /t {
        content_by_lua_block {
            local ok, err = pcall(function()
                ngx.header.content_length = "many"
            end)
            ngx.say(tostring(ok), " ", err)
        }
    }
--- request
GET /t
--- response_body_like: ^false content_by_lua\(nginx\.conf:\d+\):3: failed to set header$



=== TEST 10: conditional requests are answered by the headers that Lua set
--- config
    location /t {
        content_by_lua_block {
            ngx.header.last_modified = "Mon, 28 Sep 1970 06:00:00 GMT"
            ngx.header.etag = '"tag"'
            ngx.say("fresh")
        }
    }
--- request
GET /t
--- more_headers
If-None-Match: "tag"
--- error_code: 304
--- response_headers
ETag: "tag"
Last-Modified: Mon, 28 Sep 1970 06:00:00 GMT
--- response_body



=== TEST 11: what was removed answers no condition
--- config
    location /t {
        content_by_lua_block {
            ngx.header.last_modified = "Mon, 28 Sep 1970 06:00:00 GMT"
            ngx.header.etag = '"tag"'
            ngx.header.last_modified, ngx.header.etag = nil, nil
            ngx.say("fresh")
        }
    }
--- request
GET /t
--- more_headers
If-None-Match: "tag"
If-Modified-Since: Mon, 28 Sep 1970 06:00:00 GMT
--- error_code: 200
--- response_headers
! ETag
! Last-Modified
--- response_body
fresh



=== TEST 12: Server and Date are replaced and removed
--- config
    location /set { content_by_lua_block { ngx.header.server = "me" ngx.header.date = "today" ngx.print("") } }
    location /gone { content_by_lua_block { ngx.header.server = nil ngx.header.date = "" ngx.print("") } }
    location /back {
        content_by_lua_block { ngx.header.server = nil ngx.header.server = "again" ngx.print("") }
    }
--- pipelined_requests eval
["GET /set", "GET /gone", "GET /back"]
--- response_headers eval
["Server: me\nDate: today", "! Server\n! Date", "Server: again"]
--- response_body eval
["", "", ""]



=== TEST 13: a Location that is a path stays one
--- config
    location /t {
        content_by_lua_block {
            ngx.header.location = "http://else/where"
            ngx.header.location = "/here"
            ngx.status = 302
            ngx.say(ngx.header.location)
        }
    }
--- request
GET /t
--- error_code: 302
--- response_headers
Location: /here
--- response_body
/here



=== TEST 14: setting after the header was sent is logged and changes nothing
--- config
    location /t {
        content_by_lua_block {
            ngx.say("sent")
            ngx.header.x_late = "1"
            ngx.header.content_type = {"text/late"}
            ngx.header.x_late = nil
            ngx.say(tostring(ngx.header.x_late))
        }
    }
--- request
GET /t
--- response_headers
! X-Late
--- response_body
sent
nil
--- grep_error_log eval: qr/attempt to set ngx\.header\.HEADER after sending out response headers/
--- grep_error_log_out
attempt to set ngx.header.HEADER after sending out response headers
attempt to set ngx.header.HEADER after sending out response headers
attempt to set ngx.header.HEADER after sending out response headers



=== TEST 15: gzip leaves alone what says that it is encoded
--- config
    location /t {
        gzip on;
        gzip_min_length 1;
        gzip_types text/plain;
        content_by_lua_block {
            ngx.header.content_type = "text/plain"
            ngx.header.content_encoding = "identity"
            ngx.say("plain")
        }
    }
--- request
GET /t
--- more_headers
Accept-Encoding: gzip
--- response_headers
Content-Encoding: identity
--- response_body
plain



=== TEST 16: values and names that are no text are read as text
--- config
    location /t {
        content_by_lua_block {
            ngx.header.x_bool = false
            ngx.header[12] = {true, 1.5}
            ngx.say(ngx.header.x_bool, " ", table.concat(ngx.header[12], "|"), " ", tostring(ngx.header[{}]))
        }
    }
--- request
GET /t
--- response_headers
x-bool: false
--- response_body
false true|1.5 nil



=== TEST 17: all response headers as a table, by any spelling
--- config
    location /t {
        content_by_lua_block {
            ngx.header["X-One"] = "1"
            ngx.header["X-Many"] = {"a", "b"}
            local headers, err = ngx.resp.get_headers()
            ngx.say(headers["x-one"], headers.X_One, table.concat(headers.x_many), tostring(headers.none), tostring(err))
            local raw = ngx.resp.get_headers(0, true)
            ngx.say(raw["X-One"], tostring(raw["x-one"]), tostring(getmetatable(raw)))
        }
    }
--- request
GET /t
--- response_body
11abnilnil
1nilnil



=== TEST 18: a table of headers is cut at its limit
--- config
    location /t {
        content_by_lua_block {
            for i = 1, 150 do ngx.header["X-" .. i] = i end
            local function count(...)
                local headers, err = ngx.resp.get_headers(...)
                local n = 0
                for _ in pairs(headers) do n = n + 1 end
                return n .. " " .. tostring(err)
            end
            local text = { count(), count(7), count(0), count(1000) }
            ngx.say(table.concat(text, "\n"))
        }
    }
--- request
GET /t
--- response_body
100 truncated
7 truncated
151 nil
151 nil



=== TEST 19: a limit that is no number raises
--- config
    location /t {
        content_by_lua_block {
            local ok, err = pcall(function()
                local headers = ngx.resp.get_headers({})
            end)
            ngx.say(err)
        }
    }
--- request
GET /t
--- response_body_like: ^content_by_lua\(nginx\.conf:\d+\):3: bad argument #1 to 'get_headers' \(number expected, got table\)$



=== TEST 20: reading a header after output shows what was sent
--- config
    location /t {
        default_type text/css;
        content_by_lua_block {
            ngx.say("a")
            ngx.say(ngx.header.content_type, " ", ngx.resp.get_headers().transfer_encoding, " ", ngx.status)
        }
    }
--- request
GET /t
--- response_body
a
text/css chunked 200



=== TEST 21: many headers and many values, in two workers
--- workers: 2
--- config
    location /t {
        content_by_lua_block {
            local values = {}
            for i = 1, 40 do values[i] = "v" .. i end
            for round = 1, 200 do
                ngx.header.x_many = values
                ngx.header["X-" .. round % 5] = round
            end
            ngx.header.x_many = values
            ngx.say(#ngx.header.x_many, " ", ngx.header.x_many[40], " ", ngx.header.x_0, " ", ngx.header.x_4)
        }
    }
--- pipelined_requests eval
["GET /t", "GET /t", "GET /t"]
--- response_body eval
["40 v40 200 199\n", "40 v40 200 199\n", "40 v40 200 199\n"]

=== TEST 22: ngx.resp.add_header keeps what is there, but for headers of one value
--- config
    location = /t {
        content_by_lua_block {
            local add = require("ngx.resp").add_header
            ngx.header["X-Many"] = "0"
            add("X-Many", 1)
            add("X-Many", { "2", true })
            add("Cache-Control", "private")
            add("Cache-Control", "no-store")
            add("ETag", '"one"')
            add("ETag", '"two"')
            add("Content-Type", "text/own")
            add("X-Odd\r\nName", "a\r\nX-Injected: b\0")
            add("X-Empty", "")
            local errors = {}
            for i, arguments in ipairs { {}, { "X" }, { "Content-Length", "x" } } do
                local ok, err = pcall(function() local _ = add(arguments[1], arguments[2]) end)
                errors[i] = err:gsub("^.-:%d+: ", "")
            end
            ngx.say(table.concat(errors, ", "))
            add("X-Late", "x")
        }
    }
--- request
GET /t
--- raw_response_headers_like eval
qr/X-Many: 0\r\nX-Many: 1\r\nX-Many: 2\r\nX-Many: true\r\nCache-Control: private\r\nCache-Control: no-store\r\nETag: "two"\r\nX-Odd%0D%0AName: a%0D%0AX-Injected: b%00\r\n/
--- raw_response_headers_unlike
X-Empty|"one"|X-Late
--- response_body
invalid header value, invalid header value, failed to set header
--- error_log
attempt to set ngx.header.HEADER after sending out response headers

=== TEST 23: ngx.resp.bypass_if_checks sends what the client has already
--- config
    location = /t {
        content_by_lua_block {
            if ngx.var.arg_bypass then require("ngx.resp").bypass_if_checks() end
            ngx.header.last_modified = ngx.http_time(100000)
            ngx.say("sent")
        }
    }
--- request eval
["GET /t", "GET /t?bypass=1"]
--- more_headers eval
[("If-Modified-Since: Fri, 02 Jan 1970 03:46:40 GMT") x 2]
--- error_code eval
[304, 200]
--- response_body eval
["", "sent\n"]
--- no_error_log
[error]
