# ngx.req: headers, method and the request line.
use Test::Nginx::Socket 'no_plan';

run_tests();

__DATA__

=== TEST 1: request headers as a table, by any spelling
--- config
    location /t {
        content_by_lua_block {
            local headers, err = ngx.req.get_headers()
            ngx.say(headers.my_foo, headers["My-Foo"], headers["my-foo"], " ", type(headers.x_many), " ",
                table.concat(headers.x_many, "|"), " ", tostring(headers.none), tostring(headers[1]), tostring(err))
        }
    }
--- request
GET /t
--- more_headers
My-Foo: a
X-Many: 1
X-MANY: 2
--- response_body
aaa table 1|2 nilnilnil



=== TEST 2: raw names are kept as they came
--- config
    location /t {
        content_by_lua_block {
            local headers = ngx.req.get_headers(0, true)
            ngx.say(headers["My-Foo"], tostring(headers["my-foo"]), tostring(getmetatable(headers)))
        }
    }
--- request
GET /t
--- more_headers
My-Foo: a
--- response_body
anilnil



=== TEST 3: a table of headers is cut at its limit
--- config
    location /t {
        content_by_lua_block {
            local function count(...)
                local headers, err = ngx.req.get_headers(...)
                local n = 0
                for _ in pairs(headers) do n = n + 1 end
                return n .. " " .. tostring(err)
            end
            for i = 1, 150 do ngx.req.set_header("X-" .. i, i) end
            local all = count(0)
            ngx.say(count(), "\n", count(5), "\n", count(-1), "\n", all == count(1000) and "all" or all)
        }
    }
--- request
GET /t
--- response_body
100 truncated
5 truncated
100 truncated
all



=== TEST 4: headers are set, replaced, multiplied and cleared
--- config
    location /t {
        content_by_lua_block {
            local function show()
                local value = ngx.req.get_headers().x_foo
                if type(value) == "table" then value = table.concat(value, "|") end
                ngx.say(tostring(value), " ", tostring(ngx.var.http_x_foo))
            end
            show()
            ngx.req.set_header("X-Foo", "new") show()
            ngx.req.set_header("x-foo", {"a", 2, "c"}) show()
            ngx.req.set_header("X-Foo", 1.5) show()
            ngx.req.set_header("X-Foo", {}) show()
            ngx.req.set_header("X-Foo", "again") show()
            ngx.req.clear_header("x-FOO") show()
            ngx.req.set_header("X-Foo", "") show()
            ngx.req.set_header("X-Foo", nil) show()
        }
    }
--- request
GET /t
--- more_headers
X-Foo: one
X-Foo: two
--- response_body_like
^one\|two one(, two)?
new new
a\|2\|c a(, 2, c)?
1.5 1.5
nil nil
again again
nil nil
nil nil
nil nil



=== TEST 5: neither a name nor a value can begin another header
--- config
    location /t {
        content_by_lua_block {
            ngx.req.set_header("X-A\r\nX-Evil", "1")
            ngx.req.set_header("X-B", "2\r\nX-Evil: 3\tx")
            local headers = ngx.req.get_headers(0, true)
            ngx.say(headers["X-A%0D%0AX-Evil"], " ", headers["X-B"], " ", tostring(headers["X-Evil"]))
        }
    }
--- request
GET /t
--- response_body eval
"1 2%0D%0AX-Evil: 3\tx nil\n"



=== TEST 6: entries are taken out of every place of the list
--- config
    location /t {
        content_by_lua_block {
            for i = 1, 12 do ngx.req.set_header("X-" .. i, i) end
            for i = 2, 12, 2 do ngx.req.clear_header("X-" .. i) end
            ngx.req.clear_header("X-11")
            ngx.req.clear_header("X-Client")
            ngx.req.set_header("X-New", {"p", "q"})
            local seen, n = {}, 0
            for name, value in pairs(ngx.req.get_headers(0, true)) do
                if name:find("^X") then seen[#seen + 1] = name .. "=" .. (type(value) == "table" and table.concat(value, "+") or value) end
            end
            table.sort(seen)
            ngx.say(table.concat(seen, " "))
        }
    }
--- request
GET /t
--- more_headers
X-Client: 1
X-Other: 2
--- response_body
X-1=1 X-3=3 X-5=5 X-7=7 X-9=9 X-New=p+q X-Other=2



=== TEST 7: Host changes what nginx derives from it
--- config
    location /t {
        content_by_lua_block {
            ngx.req.set_header("Host", "Other.example:8080")
            local set = ngx.var.host .. " " .. ngx.var.http_host
            ngx.req.set_header("Host", {"a", "b."})
            local last = ngx.var.host .. " " .. ngx.var.http_host
            local ok, err = pcall(function()
                ngx.req.set_header("Host", "a/b")
            end)
            ngx.req.clear_header("Host")
            ngx.say(set, " ", last, " ", tostring(ok), " ", tostring(ngx.var.http_host))
        }
    }
--- request
GET /t
--- response_body
other.example Other.example:8080 b b. false nil



=== TEST 8: Content-Length, Content-Type and cookies
--- config
    location /t {
        content_by_lua_block {
            ngx.req.set_header("Content-Length", 12)
            ngx.req.set_header("Content-Type", "text/x")
            ngx.req.set_header("Cookie", {"a=1", "b=2"})
            ngx.req.set_header("X-Forwarded-For", {"1.1.1.1", "2.2.2.2"})
            ngx.say(ngx.var.content_length, " ", ngx.var.content_type, " ", ngx.var.cookie_b, " ", ngx.var.http_cookie, " ",
                ngx.var.http_x_forwarded_for)
            ngx.req.clear_header("Content-Length")
            ngx.req.clear_header("Cookie")
            ngx.say(tostring(ngx.var.content_length), tostring(ngx.var.cookie_b), tostring(ngx.var.http_cookie))
            local ok, err = pcall(ngx.req.set_header, "Content-Length", "many")
            ngx.say(tostring(ok))
        }
    }
--- request
GET /t
--- more_headers
Cookie: z=0
--- response_body
12 text/x 2 a=1; b=2 1.1.1.1, 2.2.2.2
nilnilnil
false



=== TEST 9: filters see the change: a condition taken away, a range and an encoding given
--- config
    location /condition {
        content_by_lua_block {
            ngx.req.clear_header("If-None-Match")
            ngx.header.etag = '"x"'
            ngx.say("whole")
        }
    }
    location /gzip {
        gzip on;
        gzip_min_length 1;
        default_type text/html;
        content_by_lua_block {
            ngx.req.set_header("Accept-Encoding", nil)
            ngx.say("plain")
        }
    }
--- pipelined_requests eval
["GET /condition", "GET /gzip"]
--- more_headers
If-None-Match: "x"
Accept-Encoding: gzip
--- error_code eval
[200, 200]
--- response_body eval
["whole\n", "plain\n"]



=== TEST 10: arguments that are none
--- config
    location /t {
        content_by_lua_block {
            local function try(call, ...)
                local arguments, n = {...}, select("#", ...)
                local _, err = pcall(function()
                    local result = call(unpack(arguments, 1, n))
                end)
                return (tostring(err):gsub("^.-:%d+%):", ""))
            end
            ngx.say(try(ngx.req.set_header), "\n", try(ngx.req.get_headers, {}), "\n", try(ngx.req.set_method, "GET"), "\n",
                try(ngx.req.set_method, 77), "\n", try(ngx.req.set_method, 2.5), "\n", try(ngx.req.clear_header, 12))
        }
    }
--- request
GET /t
--- response_body
5: bad 'name' argument: string expected, got nil
5: bad argument #1 to 'get_headers' (number expected, got table)
5: bad method number
5: unsupported HTTP method: 77
5: unsupported HTTP method: 2.5
nil



=== TEST 11: methods
--- config
    location /t {
        content_by_lua_block {
            local said = { ngx.req.get_method() }
            for _, name in ipairs { "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "MKCOL", "GET" } do
                ngx.req.set_method(ngx["HTTP_" .. name])
                said[#said + 1] = ngx.req.get_method() == name and ngx.var.request_method == name and name or "not " .. name
            end
            ngx.say(table.concat(said, " "))
        }
    }
--- request
POST /t
--- response_body
POST HEAD PUT DELETE OPTIONS PATCH TRACE MKCOL GET



=== TEST 12: a GET that becomes HEAD has no body, a HEAD that becomes GET has one
--- config
    location /head { content_by_lua_block { ngx.req.set_method(ngx.HTTP_HEAD) ngx.say("unseen") } }
--- request
GET /head
--- response_body



=== TEST 13: the raw header, with and without the request line
--- config
    location /t {
        content_by_lua_block {
            ngx.req.set_header("X-Late", "not there")
            ngx.print(ngx.req.raw_header() .. "--\n" .. ngx.req.raw_header(true))
        }
    }
--- raw_request eval
"GET /t?a:b HTTP/1.1\r\nHost: localhost\r\nX-Space:   wide  \r\nBad_Name: dropped\r\nX-Colon: a:b\r\nConnection: close\r\n\r\n"
--- response_body eval
my $headers = "Host: localhost\r\nX-Space:   wide  \r\nBad_Name: dropped\r\nX-Colon: a:b\r\nConnection: close\r\n\r\n";
"GET /t?a:b HTTP/1.1\r\n$headers--\n$headers"



=== TEST 14: a raw header that fills several buffers, with single line feeds
--- config
    client_header_buffer_size 600;
    large_client_header_buffers 8 600;
    location /t { content_by_lua_block { ngx.print(ngx.req.raw_header()) } }
--- raw_request eval
"GET /t HTTP/1.1\nHost: localhost\nConnection: close\n" . CORE::join("", map { "X-$_: " . ("v" x 40) . "\n" } 1 .. 60) . "\n"
--- response_body eval
"GET /t HTTP/1.1\nHost: localhost\nConnection: close\n" . CORE::join("", map { "X-$_: " . ("v" x 40) . "\n" } 1 .. 60) . "\n"



=== TEST 15: version, start, and where the request comes from
--- config
    location /t { rewrite ^ /inside last; }
    location /inside {
        internal;
        content_by_lua_block {
            local age = os.time() - ngx.req.start_time()
            ngx.say(ngx.req.http_version(), " ", tostring(age > -2 and age < 5), " ", tostring(ngx.req.is_internal()), " ",
                tostring(ngx.is_subrequest))
        }
    }
    location /outside { content_by_lua_block { ngx.say(tostring(ngx.req.is_internal())) } }
--- pipelined_requests eval
["GET /t", "GET /outside"]
--- response_body eval
["1.1 true true false\n", "false\n"]



=== TEST 16: HTTP/1.0
--- config
    location /t { content_by_lua_block { ngx.say(ngx.req.http_version()) } }
--- request
GET /t HTTP/1.0
--- response_body
1



=== TEST 17: no request, no headers
--- http_config
    init_by_lua_block {
        local said = {}
        for _, call in ipairs { ngx.req.get_headers, ngx.req.raw_header, ngx.req.get_method, ngx.req.http_version,
                ngx.req.start_time, ngx.req.is_internal, ngx.resp.get_headers } do
            local ok, err = pcall(call)
            said[#said + 1] = tostring(err):match("no request found") or "none"
        end
        said[#said + 1] = tostring(select(2, pcall(ngx.req.set_header, "a", "b"))):match("no request found")
        errors = #said .. " " .. said[1]
        for _, text in ipairs(said) do if text ~= said[1] then errors = text end end
    }
--- config
    location /t { content_by_lua_block { ngx.say(errors) } }
--- request
GET /t
--- response_body
8 no request found



=== TEST 18: many changes in two workers
--- workers: 2
--- config
    location /t {
        content_by_lua_block {
            for round = 1, 300 do
                ngx.req.set_header("X-" .. round % 7, {round, round + 1})
                ngx.req.clear_header("X-" .. (round + 3) % 7)
            end
            local n = 0
            for _ in pairs(ngx.req.get_headers(0)) do n = n + 1 end
            ngx.say(ngx.req.get_headers()["x-6"][2], " ", tostring(ngx.req.get_headers()["x-2"]))
        }
    }
--- pipelined_requests eval
["GET /t", "GET /t", "GET /t"]
--- response_body eval
["301 nil\n", "301 nil\n", "301 nil\n"]

=== TEST 19: ngx.req.add_header keeps what is there, but for headers of one value
--- config
    location = /t {
        content_by_lua_block {
            local add = require("ngx.req").add_header
            add("X-Many", { "2", 3 })
            add("Cookie", "b=2")
            add("X-Forwarded-For", "::1")
            add("Host", "other.example")
            add("User-Agent", { "one", "two" })
            add("X-Odd\r\nName", "a\r\nX-Injected: b")
            local headers = ngx.req.get_headers()
            ngx.say(table.concat(headers["x-many"], ","), " ", ngx.var.http_cookie, " ", ngx.var.cookie_b)
            ngx.say(table.concat(headers["x-forwarded-for"], ","), " ", ngx.var.http_x_forwarded_for)
            ngx.say(headers.host, " ", ngx.var.host, " ", headers.user_agent)
            ngx.say(headers["x-odd%0d%0aname"], " ", headers["x-injected"])
            for _, arguments in ipairs { {}, { "X" }, { "X", {} } } do
                local ok, err = pcall(function() local _ = add(arguments[1], arguments[2]) end)
                ngx.say((err:gsub("^.-:%d+: ", "")))
            end
        }
    }
--- request
GET /t
--- more_headers
X-Many: 1
Cookie: a=1
X-Forwarded-For: 10.0.0.1
--- response_body
1,2,3 a=1; b=2 2
10.0.0.1,::1 10.0.0.1, ::1
other.example other.example two
a%0D%0AX-Injected: b nil
bad 'name' argument: string expected, got nil
bad 'value' argument: string or table expected, got nil
bad 'value' argument: non-empty table expected
--- no_error_log
[error]
