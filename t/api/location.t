# ngx.location.capture, ngx.location.capture_multi.
use Test::Nginx::Socket 'no_plan';

no_long_string();
run_tests();

__DATA__

=== TEST 1: status, headers and body come back, and nothing of them goes to the client
--- config
    location = /sub {
        content_by_lua_block {
            ngx.status = 201
            ngx.header["X-Many"] = { "a", "b" }
            ngx.header.x_one = "c"
            ngx.print("sub")
            ngx.print("request")
        }
    }
    location = /t {
        content_by_lua_block {
            local res = ngx.location.capture("/sub")
            ngx.say(res.status, " ", res.body, " ", tostring(res.truncated))
            ngx.say(table.concat(res.header["X-Many"], ","), " ", res.header["x-one"], " ", res.header["Content-Type"])
        }
    }
--- request
GET /t
--- response_headers
X-Many:
--- response_body
201 subrequest false
a,b c text/plain
--- no_error_log
[error]

=== TEST 2: a file: its length is a number where no one has written it out
--- config
    location = /file.txt { }
    location = /t {
        content_by_lua_block {
            local res = ngx.location.capture("/file.txt")
            ngx.say(res.status, " ", type(res.header["Content-Length"]), " ", res.header["Content-Length"])
            ngx.say(res.header["Last-Modified"] ~= nil, " ", res.body == "of a file\n")
            local none = ngx.location.capture("/nothing.txt")
            ngx.say(none.status, " [", none.body, "] ", tostring(none.truncated))
        }
    }
--- user_files
>>> file.txt
of a file
--- request
GET /t
--- response_body
200 number 10
true true
404 [] true

=== TEST 3: several at once, in the order in which they were asked for
--- config
    location = /slow { content_by_lua_block { ngx.sleep(0.02) ngx.print("slow") } }
    location = /fast { content_by_lua_block { ngx.print("fast ", ngx.var.args) } }
    location = /t {
        content_by_lua_block {
            local a, b, c = ngx.location.capture_multi {
                { "/slow" }, { "/fast?x=1", { args = { y = "2 3" } } }, { "/nothing" },
            }
            ngx.say(a.body, ", ", b.body, ", ", c.status)
        }
    }
--- request
GET /t
--- response_body
slow, fast x=1&y=2%203, 404

=== TEST 4: subrequests of subrequests, from every phase that may wait
--- config
    location = /leaf { content_by_lua_block { ngx.sleep(0.001) ngx.print(ngx.var.arg_n, tostring(ngx.is_subrequest)) } }
    location = /node {
        rewrite_by_lua_block { ngx.ctx.first = ngx.location.capture("/leaf?n=1").body }
        content_by_lua_block {
            local a, b = ngx.location.capture_multi { { "/leaf?n=2" }, { "/leaf?n=3" } }
            ngx.print("(", ngx.ctx.first, a.body, b.body, ")")
        }
    }
    location = /t {
        rewrite_by_lua_block { ngx.ctx.rewrite = ngx.location.capture("/node").body }
        access_by_lua_block { ngx.ctx.access = ngx.location.capture("/node").body }
        content_by_lua_block {
            ngx.say(ngx.ctx.rewrite)
            ngx.flush()
            ngx.say(ngx.ctx.access)
            ngx.say(ngx.location.capture("/node").body)
        }
    }
--- request
GET /t
--- response_body
(1true2true3true)
(1true2true3true)
(1true2true3true)
--- no_error_log
[error]

=== TEST 5: the method, and HEAD answers no body
--- config
    location = /sub { content_by_lua_block { ngx.header["X-Method"] = ngx.req.get_method() ngx.print("body") } }
    location = /t {
        content_by_lua_block {
            for _, name in ipairs { "GET", "HEAD", "DELETE", "OPTIONS", "PATCH", "TRACE" } do
                local res = ngx.location.capture("/sub", { method = ngx["HTTP_" .. name] })
                ngx.say(res.header["X-Method"], " [", res.body, "]")
            end
        }
    }
--- request
GET /t
--- response_body
GET [body]
HEAD []
DELETE [body]
OPTIONS [body]
PATCH [body]
TRACE [body]

=== TEST 6: which body goes to a subrequest
--- config
    location = /sub {
        content_by_lua_block {
            ngx.req.read_body()
            ngx.print(ngx.req.get_method(), " ", ngx.var.http_content_length, " ", ngx.req.get_body_data())
        }
    }
    location = /t {
        content_by_lua_block {
            ngx.req.read_body()
            for _, options in ipairs {
                {}, { always_forward_body = true }, { method = ngx.HTTP_PUT }, { method = ngx.HTTP_POST, body = "own" },
                { method = ngx.HTTP_DELETE }, { body = "" }, { body = 12 },
            } do
                ngx.say(ngx.location.capture("/sub", options).body)
            end
            ngx.say(ngx.var.http_content_length, " ", ngx.req.get_body_data())
        }
    }
--- request
POST /t
client
--- response_body
GET nil nil
GET 6 client
PUT 6 client
POST 3 own
DELETE nil nil
GET 0 nil
GET 2 12
6 client

=== TEST 7: a body in a file goes to a server behind, twice
--- config
    client_body_buffer_size 1k;
    location = /behind {
        content_by_lua_block {
            ngx.req.read_body()
            local file = io.open(ngx.req.get_body_file())
            local text = file:read("*a")
            file:close()
            ngx.print(ngx.req.get_method(), " ", #text, " ", text:sub(-3))
        }
    }
    location = /sub { proxy_pass http://127.0.0.1:$server_port/behind; }
    location = /t {
        content_by_lua_block {
            ngx.req.read_body()
            for i = 1, 2 do ngx.say(ngx.location.capture("/sub", { method = ngx.HTTP_PUT }).body) end
            ngx.say(ngx.location.capture("/sub", { method = ngx.HTTP_POST, body = ("y"):rep(5000) .. "end" }).body)
        }
    }
--- request eval
"POST /t\n" . ("x" x 20000) . "end"
--- response_body
PUT 20003 end
PUT 20003 end
POST 5003 end
--- no_error_log
[error]

=== TEST 8: large responses, of Lua and of a server behind
--- config
    location = /big { content_by_lua_block { for i = 1, 300 do ngx.print(("0123456789"):rep(1000)) end } }
    location = /behind { proxy_buffers 4 4k; proxy_buffer_size 4k; proxy_busy_buffers_size 8k;
        proxy_pass http://127.0.0.1:$server_port/big; }
    location = /t {
        content_by_lua_block {
            local want = ("0123456789"):rep(300000)
            for _, uri in ipairs { "/big", "/behind" } do
                local res = ngx.location.capture(uri)
                ngx.say(#res.body, " ", res.body == want, " ", tostring(res.truncated))
            end
        }
    }
--- request
GET /t
--- response_body
3000000 true false
3000000 true false

=== TEST 9: variables: fresh, copied, shared, and set
--- config
    location = /sub {
        content_by_lua_block {
            ngx.print(ngx.var.dog, ngx.var.cat)
            ngx.var.dog = "changed"
        }
    }
    location = /t {
        set $dog dog;
        set $cat cat;
        content_by_lua_block {
            for _, options in ipairs {
                {}, { copy_all_vars = true }, { vars = { dog = "own", cat = 7 } },
                { copy_all_vars = true, vars = { cat = "own" } }, { share_all_vars = true },
            } do
                local res = ngx.location.capture("/sub", options)
                ngx.say("[", res.body, "] ", ngx.var.dog)
            end
        }
    }
--- request
GET /t
--- response_body
[] dog
[dogcat] dog
[own7] dog
[dogown] dog
[dogcat] changed

=== TEST 10: ngx.ctx is the subrequest's own, or the table that it is given
--- config
    location = /sub {
        content_by_lua_block {
            ngx.print(tostring(ngx.ctx.word))
            ngx.ctx.word = "sub"
        }
    }
    location = /uncached {
        lua_code_cache off;
        content_by_lua_block { ngx.ctx.word = "uncached" ngx.print(tostring(ngx.ctx.word)) }
    }
    location = /t {
        content_by_lua_block {
            ngx.ctx.word = "main"
            ngx.say(ngx.location.capture("/sub").body, " ", ngx.ctx.word)
            local context = { word = "given" }
            ngx.say(ngx.location.capture("/sub", { ctx = context }).body, " ", context.word, " ", ngx.ctx.word)
            ngx.say(ngx.location.capture("/sub", { ctx = ngx.ctx }).body, " ", ngx.ctx.word)
            ngx.say(ngx.location.capture("/uncached", { ctx = context }).body, " ", context.word)
        }
    }
    location = /uncached_t {
        lua_code_cache off;
        content_by_lua_block {
            local context = { word = "x" }
            ngx.say(ngx.location.capture("/uncached", { ctx = context }).body, " ", context.word)
        }
    }
--- request eval
["GET /t", "GET /uncached_t"]
--- response_body eval
["nil main\ngiven sub main\nmain sub\nuncached uncached\n", "uncached uncached\n"]

=== TEST 11: how a subrequest ends
--- config
    location = /exit { content_by_lua_block { ngx.exit(tonumber(ngx.var.arg_s)) } }
    location = /said { content_by_lua_block { ngx.say("said") ngx.exit(ngx.OK) } }
    location = /raises { content_by_lua_block { error("on purpose") } }
    location = /late { content_by_lua_block { ngx.say("begun") ngx.flush() error("on purpose") } }
    location = /page { error_page 404 /said; return 404; }
    location = /text { return 403 "text"; }
    location = /away { return 302 /elsewhere; }
    location = /gone { proxy_pass http://127.0.0.1:1/; }
    location = /t {
        content_by_lua_block {
            for _, uri in ipairs {
                "/exit?s=0", "/exit?s=200", "/exit?s=204", "/exit?s=403", "/exit?s=500", "/exit?s=-1", "/said", "/raises",
                "/late", "/page", "/text", "/away", "/gone",
            } do
                local res = ngx.location.capture(uri)
                ngx.say(uri, " ", res.status, " [", (res.body:gsub("\n", "")), "] ", tostring(res.truncated),
                    " ", res.header.Location)
            end
        }
    }
--- request
GET /t
--- response_body
/exit?s=0 200 [] false nil
/exit?s=200 200 [] false nil
/exit?s=204 204 [] true nil
/exit?s=403 403 [] true nil
/exit?s=500 500 [] true nil
/exit?s=-1 500 [] true nil
/said 200 [said] false nil
/raises 500 [] true nil
/late 200 [begun] true nil
/page 404 [] true nil
/text 403 [text] false nil
/away 302 [] true /elsewhere
/gone 502 [] true nil

=== TEST 12: a server behind that ends in the middle truncates the response
--- config
    location = /half {
        content_by_lua_block {
            ngx.header["Content-Length"] = 100
            ngx.say("half")
            ngx.flush()
            ngx.exit(444)
        }
    }
    location = /unknown { content_by_lua_block { ngx.say("half") ngx.flush() ngx.exit(444) } }
    location = /sub { proxy_pass http://127.0.0.1:$server_port/half; }
    location = /chunks { proxy_http_version 1.1; proxy_pass http://127.0.0.1:$server_port/unknown; }
    location = /direct { proxy_buffering off; proxy_pass http://127.0.0.1:$server_port/half; }
    location = /t {
        content_by_lua_block {
            for _, uri in ipairs { "/sub", "/chunks", "/direct" } do
                local res = ngx.location.capture(uri)
                ngx.print(res.status, " ", tostring(res.truncated), " ", res.body)
            end
        }
    }
--- request
GET /t
--- response_body
200 true half
200 true half
200 true half

=== TEST 13: 444 in a subrequest ends the whole request
--- config
    location = /sub { content_by_lua_block { ngx.exit(444) } }
    location = /main {
        content_by_lua_block {
            ngx.location.capture("/sub")
            ngx.log(ngx.ERR, "went on")
            ngx.say("went on")
        }
    }
    location = /other { proxy_pass http://127.0.0.1:$server_port/main; }
    location = /t {
        content_by_lua_block { ngx.say(ngx.location.capture("/other").status) }
    }
--- request
GET /t
--- response_body
502
--- no_error_log
went on

=== TEST 14: redirects inside of a subrequest stay captured
--- config
    location = /end { content_by_lua_block { ngx.print("end ", ngx.var.args) } }
    location = /exec { content_by_lua_block { ngx.sleep(0.001) ngx.exec("/end", "by=exec") } }
    location = /rewritten { rewrite ^ /end?by=rewrite last; }
    location @named { content_by_lua_block { ngx.print("named ", ngx.var.uri) } }
    location = /try { try_files /nothing @named; }
    location = /accel { content_by_lua_block { ngx.header["X-Accel-Redirect"] = "/end?by=accel" ngx.print("lost") } }
    location = /behind { proxy_pass http://127.0.0.1:$server_port/accel; }
    location = /t {
        content_by_lua_block {
            for _, uri in ipairs { "/exec", "/rewritten", "/try", "/behind" } do
                local res = ngx.location.capture(uri)
                ngx.say(res.status, " ", res.body)
            end
        }
    }
--- request
GET /t
--- response_body
200 end by=exec
200 end by=rewrite
200 named /try
200 end by=accel
--- no_error_log
[error]

=== TEST 15: the phases of a subrequest: its filters run, its access phase does not
--- config
    location = /sub {
        gzip on;
        gzip_min_length 1;
        gzip_types text/plain;
        set_by_lua_block $set { return "set" }
        rewrite_by_lua_block { ngx.ctx.phases = ngx.var.set .. " rewrite" }
        access_by_lua_block { ngx.ctx.phases = ngx.ctx.phases .. " access" }
        content_by_lua_block { ngx.print(ngx.ctx.phases, " content") }
        header_filter_by_lua_block { ngx.header["X-Filter"] = "seen" }
        body_filter_by_lua_block { ngx.arg[1] = ngx.arg[1]:upper() }
    }
    location = /refused {
        header_filter_by_lua_block { ngx.header["X-Filter"] = ngx.status }
        return 404;
    }
    location = /t {
        gzip on;
        content_by_lua_block {
            local res = ngx.location.capture("/sub")
            ngx.say(res.body, " ", res.header["X-Filter"], " ", res.header["Content-Encoding"])
            ngx.say(ngx.location.capture("/refused").header["X-Filter"])
        }
    }
--- request
GET /t
--- more_headers
Accept-Encoding: gzip
--- response_headers
X-Filter:
--- response_body
SET REWRITE CONTENT seen nil
404

=== TEST 16: what was output before and what comes after surround the wait
--- config
    location = /sub { content_by_lua_block { ngx.say("lost") ngx.flush() ngx.sleep(0.001) } }
    location = /t {
        content_by_lua_block {
            ngx.say("before")
            ngx.flush()
            ngx.location.capture("/sub")
            ngx.say("between")
            ngx.location.capture_multi { { "/sub" }, { "/sub" } }
            ngx.say("after")
        }
    }
--- request eval
["GET /t HTTP/1.0\r\n\r\n", "GET /t"]
--- response_body eval
["before\nbetween\nafter\n", "before\nbetween\nafter\n"]

=== TEST 17: a cycle ends
--- config
    location = /t {
        content_by_lua_block {
            local depth = tonumber(ngx.var.arg_depth or 0)
            local ok, res = pcall(ngx.location.capture, "/t", { args = { depth = depth + 1 } })
            ngx.print(ok and res.body or depth .. " " .. res)
        }
    }
--- request
GET /t
--- response_body chomp
51 failed to issue subrequest: -1
--- error_log
lua subrequests cycle while processing "/t"

=== TEST 18: wrong arguments
--- config
    location = /sub { content_by_lua_block { ngx.print(ngx.var.uri, "?", ngx.var.args) } }
    location = /t {
        content_by_lua_block {
            local function try(call, ...)
                local ok, res = pcall(ngx.location[call], ...)
                ngx.say(ok and res.body or res)
            end
            for _, args in ipairs {
                {}, { true }, { "" }, { "/../x" }, { "/x\0y" }, { "/sub", 1 }, { "/sub", {}, 1 },
                { "/sub", { method = "GET" } }, { "/sub", { method = 3 } }, { "/sub", { args = true } },
                { "/sub", { args = { 1 } } }, { "/sub", { args = { a = print } } }, { "/sub", { body = {} } },
                { "/sub", { ctx = 1 } }, { "/sub", { vars = 1 } }, { "/sub", { vars = { 1 } } },
                { "/sub", { vars = { a = true } } }, { "/sub", { vars = { nothing = 1 } } },
                { "/sub", { vars = { uri = 1 } } }, { "/sub", { copy_all_vars = 1 } }, { "/sub", { share_all_vars = 1 } },
            } do
                try("capture", unpack(args))
            end
            for _, args in ipairs {
                {}, { "/sub" }, { {} }, { { "/sub" } }, { { {} } }, { { { "/sub", {}, 1 } } }, { { a = {} } },
                { { { "/sub" } }, 1 }, { { { "/sub" }, { "/sub", 1 } } },
            } do
                try("capture_multi", unpack(args))
            end
            try("capture", "/sub?a\0\r", { args = "b\r\nX: y" })
        }
    }
--- request
GET /t
--- response_body
expecting one or two arguments
bad argument #3 to '?' (string expected, got boolean)
unsafe uri in argument #1: 
unsafe uri in argument #1: /../x
unsafe uri in argument #1: /x
expecting table as the 2nd argument for subrequest 0, but got number
expecting one or two arguments
Bad http request method
failed to adjust the subrequest: -1
Bad args option value
attempt to use a non-string key in the "args" option table
attempt to use function as query arg value
Bad http request body
Bad ctx option value type number, expected a Lua table
Bad vars option value
attempt to use a non-string key in the "vars" option table
attempt to use bad variable value type boolean
failed to adjust the subrequest: -1
failed to adjust the subrequest: 500
Bad copy_all_vars option value
Bad share_all_vars option value
only one argument is expected, but got 0
bad argument #1 to '?' (table expected, got string)
at least one subrequest should be specified
the query argument 0 is not a table, but a string
query argument 0 expecting one or two arguments
query argument 0 expecting one or two arguments
only array-like tables are allowed
only one argument is expected, but got 2
expecting table as the 2nd argument for subrequest 1, but got number
/sub?a%00%0D&b%0D%0AX:%20y

=== TEST 19: where it cannot wait it is refused
--- config
    location = /sub { return 200; }
    location = /t {
        set_by_lua_block $set { return select(2, pcall(ngx.location.capture, "/sub")) }
        header_filter_by_lua_block { ngx.header["X-Filter"] = select(2, pcall(ngx.location.capture_multi, { { "/sub" } })) }
        content_by_lua_block { ngx.say(ngx.var.set) }
        log_by_lua_block { ngx.log(ngx.WARN, select(2, pcall(ngx.location.capture, "/sub"))) }
    }
--- request
GET /t
--- response_headers
X-Filter: API disabled in the context of header_filter_by_lua*
--- response_body
API disabled in the context of set_by_lua*
--- error_log
API disabled in the context of log_by_lua*

=== TEST 20: many, one after the other and at once, and the next request on the connection
--- config
    location = /sub { content_by_lua_block { ngx.print("x") } }
    location = /t {
        content_by_lua_block {
            local length = 0
            for i = 1, 2000 do length = length + #ngx.location.capture("/sub").body end
            local queries = {}
            for i = 1, 1000 do queries[i] = { "/sub" } end
            for _, res in ipairs { ngx.location.capture_multi(queries) } do length = length + #res.body end
            ngx.say(length)
        }
    }
--- pipelined_requests eval
["GET /t", "GET /sub"]
--- response_body eval
["3000\n", "x"]

=== TEST 21: a location that includes others is captured with them
--- config
    location = /part { return 200 "part"; }
    location = /t {
        ssi on;
        ssi_types text/plain;
        content_by_lua_block {
            ngx.print('<!--#include virtual="/lua" -->, ')
            ngx.print(ngx.location.capture("/lua").body)
        }
    }
    location = /lua { content_by_lua_block { ngx.print("lua ", ngx.location.capture("/part").body) } }
--- request
GET /t
--- response_body chomp
lua part, lua part
--- no_error_log
[alert]

=== TEST 22: a file that is read by threads
--- config
    location = /file.txt { aio threads; sendfile off; directio 512; output_buffers 1 512; }
    location = /t {
        content_by_lua_block {
            for _ = 1, 2 do
                local a, b = ngx.location.capture_multi { { "/file.txt" }, { "/file.txt" } }
                ngx.say(#a.body, " ", a.body == b.body, " ", tostring(a.truncated))
            end
        }
    }
--- user_files eval
">>> file.txt\n" . CORE::join("\n", 1 .. 2000) . "\n"
--- request
GET /t
--- response_body
8893 true false
8893 true false
--- no_error_log
[alert]

=== TEST 23: light threads cannot be left while they wait for subrequests
--- config
    location = /sub { content_by_lua_block { ngx.sleep(0.001) ngx.print("sub") } }
    location = /t {
        content_by_lua_block {
            local body
            local thread = ngx.thread.spawn(function() body = ngx.location.capture("/sub").body end)
            ngx.say(select(2, pcall(ngx.exit, ngx.OK)))
            ngx.say(select(2, pcall(ngx.exec, "/sub")))
            ngx.say(select(2, pcall(ngx.redirect, "/sub")))
            ngx.say(ngx.thread.kill(thread))
            ngx.thread.wait(thread)
            ngx.say(body)
            ngx.exit(ngx.OK)
        }
    }
--- request
GET /t
--- response_body
attempt to abort with pending subrequests
attempt to abort with pending subrequests
attempt to abort with pending subrequests
nilpending subrequests
sub

=== TEST 24: a request that fails ends with its subrequests
--- config
    location = /sub { content_by_lua_block { ngx.sleep(0.01) ngx.log(ngx.WARN, "sub ", "ended") } }
    location = /raises {
        content_by_lua_block {
            ngx.thread.spawn(function() ngx.location.capture("/sub") ngx.log(ngx.WARN, "went", " on") end)
            error("on purpose")
        }
    }
    location = /begun {
        content_by_lua_block {
            ngx.thread.spawn(function() ngx.location.capture("/sub") ngx.log(ngx.WARN, "went", " on") end)
            ngx.say("begun")
            ngx.flush()
            error("on purpose")
        }
    }
    location = /t {
        content_by_lua_block {
            local one = ngx.location.capture("/one")
            local two = ngx.location.capture("/two")
            ngx.say(one.status, " ", two.status, " ", tostring(two.truncated), " ", two.body)
        }
    }
    location = /one { proxy_pass http://127.0.0.1:$server_port/raises; }
    location = /two { proxy_http_version 1.1; proxy_pass http://127.0.0.1:$server_port/begun; }
--- request
GET /t
--- response_body_like
^502 200 true begun
--- no_error_log
went on
sub ended
[alert]

=== TEST 25: a client that is gone ends a request whose subrequests notice it
--- http_config
    lua_shared_dict seen 100k;
--- config
    location = /slow { content_by_lua_block { ngx.sleep(1) } }
    location = /behind { proxy_pass http://127.0.0.1:$server_port/slow; }
    location = /nested { content_by_lua_block { ngx.location.capture_multi { { "/slow" }, { "/behind" } } } }
    location = /inner {
        content_by_lua_block { ngx.location.capture("/nested") ngx.shared.seen:set("went on", true) }
        log_by_lua_block { ngx.shared.seen:set("status", ngx.status) }
    }
    location = /outer { proxy_read_timeout 20ms; proxy_pass http://127.0.0.1:$server_port/inner; }
    location = /t {
        content_by_lua_block {
            local seen = ngx.shared.seen
            ngx.say(ngx.location.capture("/outer").status)
            for _ = 1, 400 do
                if seen:get("status") then break end
                ngx.sleep(0.005)
            end
            ngx.say(seen:get("status"), " ", seen:get("went on"))
        }
    }
--- request
GET /t
--- response_body
504
499 nil

=== TEST 26: parts of a captured location, and modules that insist on a body
--- config
    location = /part { content_by_lua_block { ngx.req.read_body() ngx.print(next(ngx.req.get_post_args()) or "none") } }
    location = /t { content_by_lua_block { ngx.print(ngx.location.capture("/part").body) } }
--- request
GET /t
--- response_body chomp
none
