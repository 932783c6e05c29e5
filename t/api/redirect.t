# ngx.exec, ngx.redirect
use Test::Nginx::Socket 'no_plan';

run_tests();

__DATA__

=== TEST 1: exec to a location, with arguments from everywhere
--- config
    location /t { content_by_lua_block { ngx.exec("/other?a=1", ngx.var.arg_how == "table" and { b = 2 } or ngx.var.arg_how and "b=2" or nil) } }
    location /other { content_by_lua_block { ngx.say(ngx.var.uri, " ", ngx.var.args, " ", ngx.req.is_internal()) } }
--- pipelined_requests eval
["GET /t", "GET /t?how=table", "GET /t?how=string"]
--- error_code eval
[200, 200, 200]
--- response_body eval
["/other a=1 true\n", "/other a=1&b=2 true\n", "/other a=1&b=2 true\n"]



=== TEST 2: exec to a named location keeps path and arguments
--- config
    location /t { content_by_lua_block { ngx.sleep(0.001) ngx.exec("@other?x=1", "y=2") } }
    location @other { content_by_lua_block { ngx.say(ngx.var.uri, " ", ngx.var.args) } }
--- pipelined_requests eval
["GET /t?a=1", "GET /t?a=2"]
--- error_code eval
[200, 200]
--- response_body eval
["/t a=1\n", "/t a=2\n"]



=== TEST 3: exec in each phase before the content, waiting or not
--- config
    location /r { rewrite_by_lua_block { ngx.exec("/other") } }
    location /rw { rewrite_by_lua_block { ngx.sleep(0.001) ngx.exec("/other") } }
    location /a { access_by_lua_block { ngx.exec("/other") } }
    location /aw { access_by_lua_block { ngx.sleep(0.001) ngx.exec("@named") } }
    location /p { precontent_by_lua_block { ngx.exec("/index.html") } }
    location /other { content_by_lua_block { ngx.say(ngx.var.uri, tostring(ngx.ctx.x)) } }
    location @named { content_by_lua_block { ngx.sleep(0.001) ngx.say(ngx.var.uri) } }
--- user_files
>>> index.html
the file
--- pipelined_requests eval
["GET /r", "GET /rw", "GET /a", "GET /aw", "GET /p", "GET /r"]
--- error_code eval
[200, 200, 200, 200, 200, 200]
--- response_body eval
["/othernil\n", "/othernil\n", "/othernil\n", "/aw\n", "the file\n", "/othernil\n"]



=== TEST 4: exec ends the Lua that calls it, even in a pcall
--- config
    location /t {
        content_by_lua_block {
            pcall(ngx.exec, "/other")
            ngx.say("not reached")
        }
    }
    location /other { content_by_lua_block { ngx.say("other") } }
--- request
GET /t
--- response_body
other



=== TEST 5: ngx.ctx does not survive exec
--- config
    location /t { content_by_lua_block { ngx.ctx.x = 1 ngx.exec("/other") } }
    location /other { content_by_lua_block { ngx.say(tostring(ngx.ctx.x)) } }
--- request
GET /t
--- response_body
nil



=== TEST 6: what was gathered for HTTP/1.0 is dropped, what was sent forbids it
--- config
    location /t {
        content_by_lua_block {
            ngx.say("begun")
            local ok, err = pcall(ngx.exec, "/other")
            ngx.say((err:gsub("^.-:%d+: ", "")))
        }
    }
    location /other { content_by_lua_block { ngx.say("other") } }
--- request
GET /t
--- response_body
begun
attempt to call ngx.exec after sending out response headers



=== TEST 7: bad arguments of exec
--- config
    location /t {
        content_by_lua_block {
            for _, args in ipairs { {}, { "" }, { "/other", print }, { true } } do
                local ok, err = pcall(ngx.exec, unpack(args))
                ngx.say((err:gsub("^.-:%d+: ", "")))
            end
        }
    }
    location /other { content_by_lua_block { ngx.say("other") } }
--- request
GET /t
--- response_body_like chop
^bad argument #1 to '\S+' \(string expected, got nil\)
The uri argument is empty
bad argument #2 to '\S+' \(string, number, or table expected, but got function\)
bad argument #1 to '\S+' \(string expected, got boolean\)
$



=== TEST 8: a location that is not there
--- config
    location /t { content_by_lua_block { ngx.exec("@none") } }
--- request
GET /t
--- error_code: 500
--- error_log
could not find named location "@none"



=== TEST 9: a location that execs itself is stopped by nginx
--- config
    location /t { content_by_lua_block { ngx.exec("/t") } }
--- request
GET /t
--- error_code: 500
--- error_log
rewrite or internal redirection cycle



=== TEST 10: redirect, by each status that may
--- config
    location /t { content_by_lua_block { ngx.redirect("/there?x=1", tonumber(ngx.var.arg_s)) } }
--- pipelined_requests eval
["GET /t", "GET /t?s=301", "GET /t?s=303", "GET /t?s=307", "GET /t?s=308"]
--- error_code eval
[302, 301, 303, 307, 308]
--- response_headers eval
[map { "Location: /there?x=1" } 1..5]
--- response_body_like eval
[map { "$_ " } 302, 301, 303, 307, 308]



=== TEST 11: redirect in rewrite and access
--- config
    location /r { rewrite_by_lua_block { ngx.redirect("/there") } }
    location /a { access_by_lua_block { ngx.sleep(0.001) ngx.redirect("http://other/there", 301) } }
--- pipelined_requests eval
["GET /r", "GET /a"]
--- error_code eval
[302, 301]
--- response_headers eval
["Location: /there", "Location: http://other/there"]
--- response_body_like eval
["302", "301"]



=== TEST 12: bad arguments of redirect
--- config
    location /t {
        content_by_lua_block {
            local texts = {}
            for _, args in ipairs { {}, { "/x", 200 }, { "/x\r\nSet-Cookie: a=1" }, { '"\n' } } do
                local ok, err = pcall(ngx.redirect, unpack(args))
                texts[#texts + 1] = err:gsub("^.-:%d+: ", "") .. "\n"
            end
            ngx.print(texts)
        }
    }
--- request
GET /t
--- response_body_like chop
^bad argument #1 to '\S+' \(string expected, got nil\)
only ngx.HTTP_MOVED_TEMPORARILY, ngx.HTTP_MOVED_PERMANENTLY, ngx.HTTP_PERMANENT_REDIRECT, ngx.HTTP_SEE_OTHER, and ngx.HTTP_TEMPORARY_REDIRECT are allowed
unsafe byte "0x0d" in redirect uri "/x\\x0D\\x0ASet-Cookie: a=1"
unsafe byte "0x0a" in redirect uri "\\x22\\x0A"
$



=== TEST 13: redirect after the header went out
--- config
    location /t {
        content_by_lua_block {
            ngx.say("begun")
            local ok, err = pcall(ngx.redirect, "/x")
            ngx.say((err:gsub("^.-:%d+: ", "")))
        }
    }
--- request
GET /t
--- response_body
begun
attempt to call ngx.redirect after sending out the headers



=== TEST 14: a path that leads out of the root
--- config
    location /t { content_by_lua_block { ngx.exec("/in/../../out") } }
--- request
GET /t
--- error_code: 500
--- error_log
unsafe URI "/in/../../out" was detected
unsafe uri



=== TEST 15: a path is decoded
--- config
    location /t { content_by_lua_block { ngx.exec("/a%20b?x=%20") } }
    location "/a b" { content_by_lua_block { ngx.say(ngx.var.uri, " ", ngx.var.args) } }
--- request
GET /t
--- response_body
/a b x=%20
