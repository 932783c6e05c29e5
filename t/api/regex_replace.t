# ngx.re.sub and gsub: by template and by function.
use Test::Nginx::Socket 'no_plan';

our $HttpConfig = <<'_END_';
    init_by_lua_block {
        -- All that a call returns.
        function returned(...)
            local parts = { ... }
            for i = 1, select("#", ...) do parts[i] = tostring(parts[i]) end
            return table.concat(parts, " ")
        end
    }
_END_

add_block_preprocessor(sub {
    my $block = shift;
    $block->set_value(http_config => $::HttpConfig);
    $block->set_value(request => "GET /t");
});

no_long_string();
run_tests();

__DATA__

=== TEST 1: sub replaces the first match, gsub all
--- config
    location = /t {
        content_by_lua_block {
            for _, flags in ipairs { "", "jo", "d" } do
                ngx.say(returned(ngx.re.sub("hello", "l", "L", flags)), ", ", returned(ngx.re.gsub("hello", "l", "L", flags)))
                ngx.say(returned(ngx.re.sub("hello", "x", "L", flags)), ", ", returned(ngx.re.gsub("hello", "x", "L", flags)))
                ngx.say(returned(ngx.re.gsub("hello", "[a-z]", "", flags)), ", ", returned(ngx.re.gsub("", "", "x", flags)))
            end
            ngx.say(returned(ngx.re.sub("hello", "l", 5)), ", ", returned(ngx.re.sub("hello", "l", nil)), ", ", returned(ngx.re.sub(12321, "2", true)))
            ngx.say(#ngx.re.gsub(("ab"):rep(100000), "a", ("x"):rep(50)), " ", (ngx.re.sub("ab", "a", "x")))
        }
    }
--- response_body
heLlo 1, heLLo 2
hello 0, hello 0
 5, x 1
heLlo 1, heLLo 2
hello 0, hello 0
 5, x 1
heLlo 1, heLLo 2
hello 0, hello 0
 5, x 1
he5lo 1, henillo 1, 1true321 1
5100000 xb
--- no_error_log
[error]

=== TEST 2: templates
--- config
    location = /t {
        content_by_lua_block {
            for _, template in ipairs {
                "[$0]", "$2-$1", "${1}2", "$12", "$3", "$$1", "$$", "{$0}}", "\\1%1", "$01", "$99999999999999999999", "a$0b$0",
            } do
                ngx.say(template, ": ", (ngx.re.sub("hello", "(e)(l)(x)?", template)))
            end
            ngx.say((ngx.re.gsub("hello, world", "([a-z])([a-z]+)", "$2$1", "jo")))
            ngx.say((ngx.re.sub("hello", "(l)", "[$1|$0]", "d")))
            ngx.say((ngx.re.sub("hello", "l", "\0$0\0")) == "he\0l\0lo")
        }
    }
--- response_body
[$0]: h[el]lo
$2-$1: hl-elo
${1}2: he2lo
$12: hlo
$3: hlo
$$1: h$1lo
$$: h$lo
{$0}}: h{el}}lo
\1%1: h\1%1lo
$01: helo
$99999999999999999999: hlo
a$0b$0: haelbello
elloh, orldw
he[|l]lo
true
--- no_error_log
[error]

=== TEST 3: bad templates
--- config
    location = /t {
        content_by_lua_block {
            for _, template in ipairs { "$", "a$b c", "${}", "${1", "$-1", "x${name}y", "${ 1}" } do
                ngx.say(returned(ngx.re.sub("hello", "x", template)), ", ", returned(ngx.re.gsub("hello", "l", template, "jo")))
            end
        }
    }
--- response_body eval
"nil nil failed to compile the replacement template, nil nil failed to compile the replacement template\n" x 7
--- error_log
lua script: invalid capturing variable name found in "$"
attempt to use named capturing variable "b" (named captures not supported yet)
lua script: invalid capturing variable name found in "${}"
the closing bracket in "1" variable is missing
lua script: invalid capturing variable name found in "$-1"
attempt to use named capturing variable "name" (named captures not supported yet)
the closing bracket in "" variable is missing

=== TEST 4: a function is given the captures, and what it returns is taken as it is
--- config
    location = /t {
        content_by_lua_block {
            local function show(m) return "[" .. m[0] .. m[1] .. tostring(m[2]) .. m.n .. "]" end
            ngx.say(returned(ngx.re.sub("hello", "(?<n>l)(x)?", show)))
            ngx.say(returned(ngx.re.gsub("hello", "(?<n>l)(x)?", show, "jo")))
            ngx.say(returned(ngx.re.gsub("hello", "(?<n>l)(?<n>x)?", function(m) return #m.n end, "D")))
            ngx.say(returned(ngx.re.gsub("hello", "l", function() return "$0 $" end)))
            ngx.say(returned(ngx.re.gsub("hello", "l", function() return 7.5 end)))
            ngx.say(returned(ngx.re.gsub("hello", "l", function() return nil end)))
            ngx.say(returned(ngx.re.gsub("hello", "l", function() return false end)))
            ngx.say(returned(ngx.re.gsub("hello", "x", function() error("never called") end)))
            ngx.say(returned(ngx.re.sub("hello", "(l)", function(m) return #m .. m[0] end, "d")))
        }
    }
--- response_body
he[llfalsel]lo 1
he[llfalsel][llfalsel]o 2
he11o 2
he$0 $$0 $o 2
he7.57.5o 2
henilnilo 2
hefalsefalseo 2
hello 0
he0llo 1
--- no_error_log
[error]

=== TEST 5: a function may match by the same pattern, raise, yield and wait
--- config
    location = /t {
        content_by_lua_block {
            ngx.say(returned(ngx.re.gsub("a1b2", "([a-z])(\\d)", function(m)
                local inner = ngx.re.match("xyz9", "([a-z])(\\d)", "jo")
                return inner[0] .. (ngx.re.gsub(m[0], "([a-z])(\\d)", "<$2$1>", "jo"))
            end, "jo")))
            for _, flags in ipairs { "", "jo" } do
                local ok, err = pcall(ngx.re.gsub, "hello", "l", function() error("boom", 0) end, flags)
                ngx.say(ok, " ", err)
            end
            local resume = coroutine.wrap(function()
                return ngx.re.gsub("ab", ".", function(m) return coroutine.yield(m[0]) end)
            end)
            ngx.say(resume(), resume("x"), " ", returned(resume("y")))
            ngx.say(returned(ngx.re.gsub("ab", ".", function(m)
                ngx.sleep(0.001)
                return m[0]:upper()
            end)))
        }
    }
--- response_body
z9<1a>z9<2b> 2
false boom
false boom
ab xy 2
AB 2
--- no_error_log
[error]

=== TEST 6: empty matches
--- config
    location = /t {
        content_by_lua_block {
            local function x() return "-" end
            for _, case in ipairs {
                { "hello", "" }, { "hello", "l*" }, { "hello", "$" }, { "hello", "^" }, { "a\nb", "^", "m" }, { "abc", "|b" },
                { "abc", "b|" }, { "hello", "\\b" }, { "abc", "(?<=b)" }, { "\228\189\160\229\165\189", "", "u" },
                { "\228\189\160\229\165\189", "x?", "jou" }, { "", "" },
            } do
                local subject, pattern, flags = case[1], case[2], case[3]
                local by_template, by_function = returned(ngx.re.gsub(subject, pattern, "-", flags)), returned(ngx.re.gsub(subject, pattern, x, flags))
                ngx.say(by_template == by_function and by_template or by_template .. " differs from " .. by_function)
            end
            ngx.say(returned(ngx.re.sub("hello", "", "-")), ", ", returned(ngx.re.sub("hello", "$", "-")))
        }
    }
--- response_body
-h-e-l-l-o- 6
-h-e--o- 5
hello- 1
-hello 1
-a
-b 2
-a-b-c- 4
-a--c- 4
-hello- 2
ab-c 1
-你-好- 3
-你-好- 3
- 1
-hello 1, hello- 1
--- no_error_log
[error]

=== TEST 7: errors
--- config
    location = /t {
        content_by_lua_block {
            local function failure(call, ...)
                local ok, err = pcall(call, ...)
                return ok and "no error" or (err:gsub("^.-:%d+: ", ""))
            end
            ngx.say(returned(ngx.re.sub("hello", "(l", "x")))
            ngx.say(returned(ngx.re.gsub("hello", "(l", function() end)))
            ngx.say(failure(ngx.re.sub, "hello", nil, "x"))
            ngx.say(failure(ngx.re.gsub, "hello", "l", "x", "k"))
            ngx.say(failure(ngx.re.gsub, "hello", "l", "x", 1))
            local _, err = pcall(function() ngx.re.sub("hello", "l", "x", "k") end)
            ngx.say((err:gsub("^content_by_lua.-:(%d+): .*", "%1")), " ", debug.getinfo(1, "l").currentline)
        }
    }
--- response_body
nil nil pcre_compile() failed: missing ) in "(l"
nil nil pcre_compile() failed: missing ) in "(l"
attempt to get length of local 'regex' (a nil value)
unknown flag "k" (flags "k")
attempt to get length of local 'opts' (a number value)
11 12
--- no_error_log
[error]
