# body_filter_by_lua* and ngx.arg in it
use Test::Nginx::Socket 'no_plan';

run_tests();

__DATA__

=== TEST 1: it sees and changes each part of the body, and the last one is marked
--- config
    location /t {
        content_by_lua_block { ngx.say("one") ngx.say("two") }
        body_filter_by_lua_block {
            ngx.arg[1] = "[" .. ngx.arg[1] .. "]" .. tostring(ngx.arg[2])
        }
    }
--- request
GET /t
--- response_body eval
"[one\n]false[two\n]false[]true"



=== TEST 2: a static file, whose length it says nothing of any more
--- config
    location /index.html {
        header_filter_by_lua_block { ngx.header.content_length = nil }
        body_filter_by_lua_block { ngx.arg[1] = ngx.arg[1]:upper() .. (ngx.arg[2] and "END\n" or "") }
    }
--- user_files
>>> index.html
the file
--- request
GET /index.html
--- response_body
THE FILE
END



=== TEST 3: what it does not change goes through as it is
--- config
    location /t {
        content_by_lua_block { ngx.say("one") }
        body_filter_by_lua_block { ngx.ctx.n = (ngx.ctx.n or 0) + #ngx.arg[1] }
        log_by_lua_block { ngx.log(ngx.WARN, "bytes: ", ngx.ctx.n) }
    }
--- request
GET /t
--- response_body
one
--- error_log
bytes: 4



=== TEST 4: nil and the empty string drop a part
--- config
    location /t {
        content_by_lua_block { ngx.say("one") ngx.say("two") ngx.say("three") }
        body_filter_by_lua_block {
            if ngx.arg[1] == "one\n" then ngx.arg[1] = nil elseif ngx.arg[1] == "two\n" then ngx.arg[1] = "" end
        }
    }
--- request
GET /t
--- response_body
three



=== TEST 5: a table is flattened
--- config
    location /t {
        content_by_lua_block { ngx.say("one") }
        body_filter_by_lua_block { if not ngx.arg[2] then ngx.arg[1] = { "a", 1, { "b" }, true, "\n" } end }
    }
--- request
GET /t
--- response_body
a1btrue



=== TEST 6: it may end the body early; what follows is dropped
--- config
    location /t {
        content_by_lua_block { ngx.say("one") ngx.say("two") ngx.say("three") }
        body_filter_by_lua_block { if ngx.arg[1] == "two\n" then ngx.arg[1] = "end\n" ngx.arg[2] = true end }
    }
--- pipelined_requests eval
["GET /t", "GET /t"]
--- error_code eval
[200, 200]
--- response_body eval
["one\nend\n", "one\nend\n"]



=== TEST 7: it may read back what it has set
--- config
    location /t {
        content_by_lua_block { ngx.say("one") }
        body_filter_by_lua_block {
            if ngx.arg[1] ~= "" then ngx.arg[1] = "two" ngx.arg[1] = ngx.arg[1] .. tostring(ngx.arg[2]) .. "\n" end
        }
    }
--- request
GET /t
--- response_body
twofalse



=== TEST 8: returning ngx.ERROR ends the response
--- config
    location /t {
        content_by_lua_block {
            local ok, err = ngx.say("one")
            ngx.log(ngx.WARN, "say: ", ok, " ", err)
        }
        body_filter_by_lua_block { return ngx.ERROR }
    }
--- request
GET /t
--- ignore_response
--- error_log
say: nil nginx output filter error



=== TEST 9: what it raises ends the response
--- config
    location /t {
        content_by_lua_block { ngx.say("one") }
        body_filter_by_lua_block { error("broken") }
    }
--- request
GET /t
--- ignore_response
--- error_log
failed to run body_filter_by_lua*: body_filter_by_lua(nginx.conf:
broken



=== TEST 10: values that are no text are refused
--- config
    location /t {
        content_by_lua_block { ngx.say("one") }
        body_filter_by_lua_block {
            if ngx.arg[2] then return end
            local ok, err = pcall(function() ngx.arg[1] = print end)
            local no, wrong = pcall(function() ngx.arg[3] = "x" end)
            ngx.arg[1] = tostring(ok) .. err:gsub("^.-:%d+: ", " ") .. " " .. tostring(no) .. "\n"
        }
    }
--- request
GET /t
--- response_body
false bad chunk data type: bad data type function found false



=== TEST 11: a file larger than a buffer, kept in a file
--- config
    location /big {
        output_buffers 2 4k;
        header_filter_by_lua_block { ngx.header.content_length = nil }
        body_filter_by_lua_block {
            ngx.ctx.n = (ngx.ctx.n or 0) + #ngx.arg[1]
            ngx.arg[1] = ngx.arg[2] and tostring(ngx.ctx.n) or nil
        }
    }
--- user_files eval
">>> big\n" . "x" x 100000
--- request
GET /big
--- response_body_like: ^10000\d$



=== TEST 12: HEAD has no body to filter
--- config
    location /t {
        content_by_lua_block { ngx.say("one") }
        body_filter_by_lua_block { ngx.arg[1] = "no" }
    }
--- request
HEAD /t
--- response_body
