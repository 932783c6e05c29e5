# The module ngx.re: split, opt.
use Test::Nginx::Socket 'no_plan';

our $HttpConfig = <<'_END_';
    init_by_lua_block {
        -- The pieces, each in brackets.
        function shown(pieces, err)
            if not pieces then return tostring(pieces) .. " " .. err end
            local parts = {}
            for i = 1, #pieces do parts[i] = "[" .. pieces[i] .. "]" end
            return table.concat(parts)
        end

        function failure(call, ...)
            local ok, err = pcall(call, ...)
            return ok and "no error" or (err:gsub("^.-:%d+: ", ""))
        end
    }
_END_

add_block_preprocessor(sub {
    my $block = shift;
    $block->set_value(http_config => $::HttpConfig) if !defined $block->http_config;
    $block->set_value(request => "GET /t");
});

no_long_string();
run_tests();

__DATA__

=== TEST 1: split
--- config
    location = /t {
        content_by_lua_block {
            local split = require("ngx.re").split
            for _, flags in ipairs { "", "jo", "d" } do
                ngx.say(shown(split("a,b,c", ",", flags)), shown(split("abc", ",", flags)), " ", shown(split("", ",", flags)))
                ngx.say(shown(split(",a,,b", ",", flags)), " ", shown(split("a,,", ",", flags)), " ", shown(split(",,", ",", flags)))
                ngx.say(shown(split("a b   c", "\\s+", flags)), shown(split("aXbxc", "x", flags .. "i")))
            end
            ngx.say(shown(split(12321, "2")), shown(split(nil, "i")))
        }
    }
--- response_body eval
("[a][b][c][abc] \n[][a][][b] [a] \n[a][b][c][a][b][c]\n" x 3) . "[1][3][1][n][l]\n"
--- no_error_log
[error]

=== TEST 2: what a pattern captures stands between the pieces
--- config
    location = /t {
        content_by_lua_block {
            local split = require("ngx.re").split
            ngx.say(shown(split("a1b2c", "(\\d)")))
            ngx.say(shown(split("a;b,c", "(;)|(,)")))
            ngx.say(shown(split("a,b", "(x)?,")))
            ngx.say(shown(split("a12b", "(\\d)(\\d)", nil, nil, 2)))
            ngx.say(shown(split("a,b,", "(,)")))
        }
    }
--- response_body
[a][1][b][2][c]
[a][;][b][,][c]
[a][b]
[a][1][2][b]
[a][,][b][,]
--- no_error_log
[error]

=== TEST 3: an empty match splits between characters
--- config
    location = /t {
        content_by_lua_block {
            local split = require("ngx.re").split
            ngx.say(shown(split("abc", "")), shown(split("abc", "", "jo", nil, 2)), shown(split("abc", "()")))
            ngx.say(shown(split("hello", "l*")), shown(split("hello", "(?=l)")), shown(split("hello world", "\\b")))
            ngx.say(shown(split("hello", "^")), shown(split("hello", "$")), shown(split("\228\189\160\229\165\189", "", "u")))
        }
    }
--- response_body
[a][b][c][a][bc][a][][b][][c]
[h][e][o][he][l][lo][hello][ ][world]
[hello][hello][你][好]
--- no_error_log
[error]

=== TEST 4: max is how many pieces there are at most; with it empty ones at the end stay
--- config
    location = /t {
        content_by_lua_block {
            local split = require("ngx.re").split
            for _, max in ipairs { -1, 0, 1, 2, 3, 4, 5, 10 } do
                ngx.say(max, ": ", shown(split("a,b,,", ",", nil, nil, max)), " ", shown(split("a,b,,", "(,)", "jo", nil, max)))
            end
        }
    }
--- response_body
-1: [a][b] [a][,][b][,][][,]
0: [a][b] [a][,][b][,][][,]
1: [a,b,,] [a,b,,]
2: [a][b,,] [a][,][b,,]
3: [a][b][,] [a][,][b][,][,]
4: [a][b][][] [a][,][b][,][][,][]
5: [a][b][][] [a][,][b][,][][,][]
10: [a][b][][] [a][,][b][,][][,][]
--- no_error_log
[error]

=== TEST 5: ctx says where to begin
--- config
    location = /t {
        content_by_lua_block {
            local split = require("ngx.re").split
            for _, pos in ipairs { 0, 1, 2, 3, 5, 6, 100 } do
                ngx.say(pos, ": ", shown(split("a,b,c", ",", nil, { pos = pos })))
            end
            local ctx = { pos = 3 }
            ngx.say(shown(split("a,b,c,d", ",", "jo", ctx, 2)), " ", ctx.pos)
        }
    }
--- response_body
0: [a][b][c]
1: [a][b][c]
2: [][b][c]
3: [b][c]
5: [c]
6: 
100: 
[b][c,d] 5
--- no_error_log
[error]

=== TEST 6: pieces go into a table that is passed
--- config
    location = /t {
        content_by_lua_block {
            local split = require("ngx.re").split
            local pieces = { "old", "old", "old", "old", name = "kept" }
            ngx.say(split("a,b", ",", nil, nil, nil, pieces) == pieces, " ", pieces[1], pieces[2], tostring(pieces[3]), pieces.name)
            split("", ",", nil, nil, nil, pieces)
            ngx.say(tostring(pieces[1]))
        }
    }
--- response_body
true abnilkept
nil
--- no_error_log
[error]

=== TEST 7: errors
--- config
    location = /t {
        content_by_lua_block {
            local split = require("ngx.re").split
            ngx.say(shown(split("a,b", "(")))
            ngx.say(shown(split("a\128,b", ",", "u")))
            ngx.say(failure(split, "a,b", ",", "z"))
            ngx.say(failure(split, "a,b", nil))
            ngx.say(failure(split, "a,b", ",", nil, 1))
            ngx.say(failure(split, "a,b", ",", nil, nil, "2"))
            ngx.say(failure(split, "a,b", ",", nil, nil, nil, 1))
        }
    }
--- response_body
nil pcre_compile() failed: missing ) in "("
nil pcre_exec() failed: -10
unknown flag "z" (flags "z")
attempt to get length of local 'regex' (a nil value)
attempt to index local 'ctx' (a number value)
attempt to compare number with string
res is not a table
--- no_error_log
[error]

=== TEST 8: a larger stack for the JIT compiler's code
--- http_config
    init_by_lua_block {
        local subject = ("a"):rep(4000) .. "b"
        before = select(2, ngx.re.match(subject, "(?:(.)|\n)*b", "j"))
        require("ngx.re").opt("jit_stack_size", 1024 * 1024)
        after = #ngx.re.match(subject, "(?:(.)|\n)*b", "j")[0]
    }
--- config
    location = /t {
        content_by_lua_block { ngx.say(before, " ", after) }
    }
--- response_body
pcre_exec() failed: -27 4001
--- no_error_log
[error]

=== TEST 9: the stack is set before patterns are kept
--- http_config
    init_by_lua_block {
        local opt = require("ngx.re").opt
        refused = {}
        local function call(...) refused[#refused + 1] = tostring((select(2, pcall(opt, ...)))) end
        call("jit_stack_size", -1)
        call("jit_stack_size", 100)
        call("jit_stack_size", "1024")
        call("jit_stack_size")
        call("other", 1)
        call()
        ngx.re.match("a", "a", "j")
        call("jit_stack_size", 65536)
        ngx.re.match("a", "a", "o")
        call("jit_stack_size", 65536)
    }
--- config
    location = /t {
        content_by_lua_block {
            for _, text in ipairs(refused) do ngx.say((text:gsub("^.-:%d+: ", ""))) end
        }
    }
--- response_body
nil
nil
bad argument #2 to 'opt' (number expected, got string)
bad argument #2 to 'opt' (number expected, got no value)
unrecognized option name
unrecognized option name
nil
changing jit stack size is not allowed when some regexs have already been compiled and cached
--- no_error_log
[error]
