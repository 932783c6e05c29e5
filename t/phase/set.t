# set_by_lua*: the variable's value, its arguments, its place among the rewrite module's directives.
use Test::Nginx::Socket 'no_plan';

no_long_string();

run_tests();

__DATA__

=== TEST 1: the first result is the value
--- config
    location /t {
        set_by_lua $text 'return "a", "b"';
        set_by_lua_block $number { return 6 * 7 }
        set_by_lua_block $fraction { return 0.1 }
        set_by_lua_block $large { return 2 ^ 53 }
        set_by_lua_block $numeral { return "007" }
        return 200 "$text $number $fraction $large $numeral\n";
    }
--- request
GET /t
--- response_body
a 42 0.1 9.007199254741e+15 007



=== TEST 2: what is no text is none
--- config
    location /t {
        set_by_lua_block $a { }
        set_by_lua_block $b { return nil, "b" }
        set_by_lua_block $c { return true }
        set_by_lua_block $d { return { 1 } }
        set_by_lua_block $e { return print }
        set_by_lua_block $f { return setmetatable({}, { __tostring = function() return "f" end }) }
        set_by_lua_block $g { return "" }
        return 200 "[$a][$b][$c][$d][$e][$f][$g]\n";
    }
--- request
GET /t
--- response_body
[][][][][][][]
--- no_error_log
[error]
[warn]



=== TEST 3: bytes are kept
--- config
    location /t {
        set_by_lua_block $a { return "x\0y\r\n" .. ("z"):rep(70000) }
        content_by_lua_block { ngx.say(#ngx.var.a, " ", ngx.var.a:byte(2)) }
    }
--- request
GET /t
--- response_body
70005 0



=== TEST 4: arguments hold variables and are text
--- config
    location /t {
        set $b bee;
        set_by_lua $a 'return table.concat({ ngx.arg[1], ngx.arg[2], ngx.arg[3], type(ngx.arg[1]) }, ",")' 1 "$b-$arg_x" $uri;
        return 200 "$a\n";
    }
--- request
GET /t?x=y
--- response_body
1,bee-y,/t,string



=== TEST 5: there are no other arguments
--- config
    location /t {
        set_by_lua $a '
            local seen = {}
            for _, place in ipairs { 0, -1, 2, 1e10, 1.5 } do seen[#seen + 1] = tostring(ngx.arg[place]) end
            return table.concat(seen, ",")
        ' one;
        set_by_lua_block $b { return tostring(ngx.arg[1]) }
        return 200 "$a $b\n";
    }
--- request
GET /t
--- response_body
nil,nil,nil,nil,one nil



=== TEST 6: they cannot be set, and their place is a number
--- config
    location /t {
        set_by_lua $a '
            local said = {}
            for _, call in ipairs {
                function() ngx.arg[1] = 2 end, function() return ngx.arg.x end, function() return ngx.arg[{}] end,
            } do
                said[#said + 1] = select(2, pcall(call)):gsub("^.-:%d+: ", "")
            end
            return table.concat(said, "; ")
        ' one;
        return 200 "$a\n";
    }
--- request
GET /t
--- response_body_like
^API disabled in the context of set_by_lua\*; bad argument .*number expected, got string\); bad argument .*number expected, got table\)$



=== TEST 7: it runs in its place among set, if and rewrite
--- config
    location /t {
        set $a 1;
        set_by_lua_block $b { return ngx.var.a + 1 }
        set $a 10;
        set_by_lua_block $c { return ngx.var.a + ngx.var.b }
        if ($c = 12) {
            set_by_lua_block $d { return "in if, " .. ngx.var.c }
        }
        rewrite ^ /done/$b-$c break;
        set_by_lua_block $b { return "after break" }
        content_by_lua_block { ngx.say(ngx.var.uri, " ", ngx.var.b, " ", ngx.var.d) }
    }
--- request
GET /t
--- response_body
/done/2-12 2 in if, 12



=== TEST 8: in a server, and in an if of it
--- config
    set_by_lua_block $a { return "server" }
    if ($arg_x) {
        set_by_lua_block $a { return "if " .. ngx.var.arg_x }
    }
    location /t { return 200 "$a\n"; }
--- pipelined_requests eval
["GET /t", "GET /t?x=1"]
--- response_body eval
["server\n", "if 1\n"]



=== TEST 9: what it raises ends the request by 500
--- config
    location /t {
        set_by_lua_block $a {
            local function inner() error("boom") end
            inner()
        }
        set_by_lua_block $b { ngx.log(ngx.ERR, "not reached") }
        return 200 "$a\n";
    }
--- request
GET /t
--- error_code: 500
--- error_log eval
[qr/failed to run set_by_lua\*: set_by_lua\(nginx\.conf:\d+\):2: boom/, qr/in function 'inner'/]
--- no_error_log
not reached



=== TEST 10: an error without text
--- config
    location /t {
        set_by_lua_block $a { error() }
        return 200 "$a\n";
    }
--- request
GET /t
--- error_code: 500
--- error_log
failed to run set_by_lua*: unknown reason



=== TEST 11: nothing is output, and nothing waits
--- config
    location /t {
        set_by_lua_block $a {
            local calls = {
                say = function() ngx.say("x") end, flush = function() ngx.flush() end, eof = function() ngx.eof() end,
                exit = function() ngx.exit(403) end, sleep = function() ngx.sleep(0) end,
                exec = function() ngx.exec("/") end, redirect = function() ngx.redirect("/") end,
                headers = function() ngx.send_headers() end, body = function() ngx.req.read_body() end,
            }
            return select(2, pcall(calls[ngx.var.arg_call]))
        }
        return 200 "$a\n";
    }
--- pipelined_requests eval
[map { "GET /t?call=$_" } qw(say flush eof exit sleep exec redirect headers body)]
--- response_body_like eval
[map { 'API disabled in the context of set_by_lua\*$' } 1 .. 9]



=== TEST 12: a file that variables name
--- http_config
    hotlua_root html;
--- config
    location ~ ^/t/(\w+)$ {
        set_by_lua_file $a html/$1.lua one $1;
        return 200 "$a\n";
    }
--- user_files
>>> sum.lua
return ngx.arg[1] .. " and " .. ngx.arg[2]
--- request
GET /t/sum
--- response_body
one and sum



=== TEST 13: a file that is missing
--- config
    location /t {
        set_by_lua_file $a html/missing.lua;
        return 200 "$a\n";
    }
--- request
GET /t
--- error_code: 500
--- error_log eval
[qr{failed to load external Lua file "\S+/html/missing\.lua": cannot open \S+/html/missing\.lua: No such file or directory}]



=== TEST 14: a variable of nginx that can be set
--- config
    location /t {
        set_by_lua_block $args { return "a=" .. ngx.get_phase() }
        return 200 "$args $arg_a\n";
    }
--- request
GET /t?b=2
--- response_body
a=set set



=== TEST 15: one that cannot
--- config
    location /t { set_by_lua_block $uri { return "x" } }
--- must_die
--- error_log
the duplicate "uri" variable



=== TEST 16: no variable
--- config
    location /t { set_by_lua a 'return 1'; }
--- must_die
--- error_log
invalid variable name "a"



=== TEST 17: an argument that nothing defines
--- config
    location /t { set_by_lua $a 'return 1' $nothing; }
--- must_die
--- error_log
unknown "nothing" variable
