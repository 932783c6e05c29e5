# ngx.var.
use Test::Nginx::Socket 'no_plan';

run_tests();

__DATA__

=== TEST 1: variables are read; what is not there is nil
--- config
    location /t {
        set $mine 'value';
        set $blank '';
        content_by_lua_block {
            ngx.say(ngx.var.mine, " ", ngx.var.MINE, " [", ngx.var.blank, "] ", ngx.var.uri, " ", ngx.var.arg_a)
            ngx.say(tostring(ngx.var.no_such), tostring(ngx.var.arg_b), tostring(ngx.var.http_none))
        }
    }
--- request
GET /t?a=1
--- response_body
value value [] /t 1
nilnilnil



=== TEST 2: a variable of the configuration is written
--- config
    location /t {
        set $mine 'first';
        add_header X-Mine $mine;
        content_by_lua_block {
            ngx.var.mine = "text"
            local text = ngx.var.mine
            ngx.var.mine = nil
            local none = tostring(ngx.var.mine)
            ngx.var.mine = true
            local bool = ngx.var.mine
            ngx.var.mine = 1.5
            ngx.say(text, " ", none, " ", bool, " ", ngx.var.mine)
        }
    }
--- request
GET /t
--- response_headers
X-Mine: 1.5
--- response_body
text nil true 1.5



=== TEST 3: bytes are kept as they are
--- config
    location /t {
        set $mine '';
        content_by_lua_block {
            ngx.var.mine = "a\0b\255"
            ngx.var.MINE = ngx.var.mine .. ("x"):rep(100000)
            ngx.say(#ngx.var.mine, " ", ngx.var.mine:sub(1, 4) == "a\0b\255" and "same" or "other")
        }
    }
--- request
GET /t
--- response_body
100004 same



=== TEST 4: $args is written by nginx's own handler
--- config
    location /t {
        content_by_lua_block {
            ngx.var.args = "b=2"
            local now = ngx.var.args .. " " .. ngx.var.arg_b .. " " .. tostring(ngx.var.arg_a) .. " " .. ngx.var.query_string
            ngx.var.args = nil
            ngx.say(now, " ", tostring(ngx.var.args), " ", ngx.var.request_uri)
        }
    }
--- request
GET /t?a=1
--- response_body
b=2 2 nil b=2 nil /t?a=1



=== TEST 5: captures are numbers
--- config
    location ~ ^/(t)/(\w+)(x)?$ {
        content_by_lua_block {
            ngx.say(ngx.var[1], " ", ngx.var[2], " ", tostring(ngx.var[3]), " ", tostring(ngx.var[4]), " ",
                tostring(ngx.var[0]), " ", tostring(ngx.var[-1]), " ", tostring(ngx.var[2 ^ 40]))
        }
    }
--- request
GET /t/word
--- response_body
t word nil nil nil nil nil



=== TEST 6: what cannot be written raises where it is written
--- config
    location /t {
        content_by_lua_block {
            local function try(name)
                local _, err = pcall(function()
                    ngx.var[name] = "x"
                end)
                return (tostring(err):gsub("^.-:%d+%):", ""))
            end
            ngx.say(try("no_such"), "\n", try("uri"), "\n", try("arg_a"), "\n", try(1), "\n", try({}), "\n", try(true))
        }
    }
--- request
GET /t
--- response_body
4: variable "no_such" not found for writing; maybe it is a built-in variable that is not changeable or you forgot to use "set $no_such '';" in the config file to define it first
4: variable "uri" not changeable
4: variable "arg_a" not found for writing; maybe it is a built-in variable that is not changeable or you forgot to use "set $arg_a '';" in the config file to define it first
4: bad variable name
4: bad variable name
4: bad variable name



=== TEST 7: a name that is neither text nor number raises
--- config
    location /t {
        content_by_lua_block {
            local _, err = pcall(function()
                return "" .. ngx.var[true]
            end)
            ngx.say(err)
        }
    }
--- request
GET /t
--- response_body_like: ^content_by_lua\(nginx\.conf:\d+\):3: bad variable name$



=== TEST 8: long and empty names
--- config
    location /t {
        content_by_lua_block {
            ngx.say(tostring(ngx.var[""]), tostring(ngx.var[("x"):rep(300)]), tostring(ngx.var["a\0b"]),
                " ", ngx.var["arg_" .. ("n"):rep(200)])
        }
    }
--- request eval
"GET /t?" . ("n" x 200) . "=long"
--- response_body
nilnilnil long



=== TEST 9: no request, no variables
--- http_config
    init_by_lua_block {
        local _, get = pcall(function() return "" .. ngx.var.uri end)
        local _, set = pcall(function() ngx.var.mine = 1 end)
        errors = get .. "\n" .. set
    }
--- config
    location /t { content_by_lua_block { ngx.say(errors) } }
--- request
GET /t
--- response_body_like
no request found
.*no request found



=== TEST 10: a write after output does not reach the header that went out
--- config
    location /t {
        set $mine 'before';
        add_header X-Mine $mine;
        content_by_lua_block {
            ngx.say(ngx.var.mine)
            ngx.var.mine = "after"
            ngx.say(ngx.var.mine, " ", ngx.var.sent_http_content_type, " ", ngx.var.status)
        }
    }
--- request
GET /t
--- response_headers
X-Mine: before
--- response_body
before
after text/plain 200



=== TEST 11: compiled reads in two workers
--- workers: 2
--- config
    location /t {
        set $mine '';
        content_by_lua_block {
            local sum = 0
            for i = 1, 500 do
                ngx.var.mine = i
                sum = sum + ngx.var.mine + #ngx.var.uri
            end
            ngx.say(sum)
        }
    }
--- pipelined_requests eval
["GET /t", "GET /t", "GET /t"]
--- response_body eval
["126250\n", "126250\n", "126250\n"]
