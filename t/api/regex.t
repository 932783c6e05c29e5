# ngx.re.match, find, gmatch: results, flags, ctx, errors; the cache of patterns and the limit of matching.
use Test::Nginx::Socket 'no_plan';

our $HttpConfig = <<'_END_';
    init_by_lua_block {
        -- What is captured: numbers first, then names; lists in braces.
        function shown(captures, err)
            if not captures then return tostring(captures) .. (err and " " .. err or "") end
            local keys, parts = {}, {}
            for key in pairs(captures) do keys[#keys + 1] = key end
            table.sort(keys, function(a, b)
                if type(a) == type(b) then return a < b end
                return type(a) == "number"
            end)
            for i, key in ipairs(keys) do
                local value = captures[key]
                if type(value) == "table" then value = "{" .. table.concat(value, ",") .. "}" end
                parts[i] = key .. "=" .. tostring(value)
            end
            return table.concat(parts, " ")
        end

        function failure(call, ...)
            local ok, err = pcall(call, ...)
            return ok and "no error" or (err:gsub("^.-:%d+: ", ""))
        end
    }
_END_

add_block_preprocessor(sub {
    my $block = shift;
    $block->set_value(http_config => $::HttpConfig . ($block->http_config // ''));
    $block->set_value(request => "GET /t") if !defined $block->request && !defined $block->must_die;
});

no_long_string();
log_level('debug');
run_tests();

__DATA__

=== TEST 1: match gives the whole match and its groups; unmatched ones are false
--- config
    location = /t {
        content_by_lua_block {
            local match = ngx.re.match
            ngx.say(shown(match("hello, 1234", "[0-9]+")))
            ngx.say(shown(match("hello, 1234", "([0-9])([0-9])")))
            ngx.say(shown(match("hello", "(x)?(h)(y)?")))
            ngx.say(shown(match("abcdef", "(a)(b)(c)(x)?(d)(e)(f)(y)?")))
            ngx.say(shown(match("", "")))
            ngx.say(shown(match("a\0b", "a\0(b)")))
            ngx.say(shown(match(12345, "3(.)")), " ", shown(match(nil, "n.")), " ", shown(match(true, "t.")))
            ngx.say(select("#", match("hello", "x")), select("#", match("hello", "h")))
        }
    }
--- response_body eval
"0=1234
0=12 1=1 2=2
0=h 1=false 2=h 3=false
0=abcdef 1=a 2=b 3=c 4=false 5=d 6=e 7=f 8=false
0=
0=a\0b 1=b
0=34 1=4 0=ni 0=tr
11
"
--- no_error_log
[error]

=== TEST 2: named groups
--- config
    location = /t {
        content_by_lua_block {
            local match = ngx.re.match
            ngx.say(shown(match("hello", "(?<first>h)(?<second>x)?")))
            ngx.say(shown(match("hello", "(?<n>h)(?<n>e)(?<n>x)?", "D")))
            ngx.say(shown(match("ello", "(?<n>h)|(?<n>e)", "D")))
            ngx.say(shown(match("hello", "(?<a>h)(?<b>x)?", "D")))
            ngx.say(shown(match("hello", "(?J)(?<n>h)(?<n>e)")))
            ngx.say(shown(match("hello", "(?J)(?<n>h)(?<n>x)?")))
            ngx.say(shown(match("hello", "(?<n>h)(?<n>e)")))
        }
    }
--- response_body
0=h 1=h 2=false first=h second=false
0=he 1=h 2=e 3=false n={h,e}
0=e 1=false 2=e n={e}
0=h 1=h 2=false a={h}
0=he 1=h 2=e n=e
0=h 1=h 2=false n=h
nil pcre_compile() failed: two named subpatterns have the same name in "(?<n>h)(?<n>e)" at ">e)"
--- no_error_log
[error]

=== TEST 3: flags
--- config
    location = /t {
        content_by_lua_block {
            local match = ngx.re.match
            local function both(subject, pattern, flags)
                ngx.say(flags, ": ", shown(match(subject, pattern)), ", ", shown(match(subject, pattern, flags)))
            end
            both("xhello", "hello", "a")
            both("hello", "h|hell|he(l)l(o)?", "d")
            both("HELLO", "hello", "i")
            both("hello", "he(l)", "j")
            both("a", "(b)?\\1a", "J")
            both("a\nb", "^b", "m")
            both("hello", "he(l)", "o")
            both("a\nb", "a.b", "s")
            both("\228\189\160", "^.$", "u")
            both("\228\189\160", "^.$", "U")
            both("ab", "a b # both", "x")
            both("HE\nLLO", "^ l(l) o", "mixjoi")
        }
    }
--- response_body
a: 0=hello, nil
d: 0=h 1=false 2=false, 0=hello
i: nil, 0=HELLO
j: 0=hel 1=l, 0=hel 1=l
J: nil, 0=a 1=false
m: nil, 0=b
o: 0=hel 1=l, 0=hel 1=l
s: nil, 0=a
b
u: nil, 0=你
U: nil, 0=你
x: nil, 0=ab
mixjoi: nil, 0=LLO 1=L
--- no_error_log
[error]

=== TEST 4: ctx says where matching begins and learns where it ended
--- config
    location = /t {
        content_by_lua_block {
            for _, pos in ipairs { 0, 1, 2, 2.5, -7, 3, 4, 5, 6, 100, 1e12 } do
                local ctx = { pos = pos }
                ngx.say(pos, ": ", shown(ngx.re.match("1234", "\\d\\d", "", ctx)), ", ", ctx.pos)
            end
            local ctx = {}
            ngx.say(shown(ngx.re.match("1234", "\\d\\d", "jo", ctx)), ", ", ctx.pos)
            ngx.say(shown(ngx.re.match("1234", "\\d\\d", "jo", ctx)), ", ", ctx.pos)
            ngx.say(shown(ngx.re.match("1234", "\\d\\d", "jo", ctx)), ", ", ctx.pos)
            ngx.say(ngx.re.find("1234", "\\d", "jo", { pos = 3 }))
            ngx.say(ngx.re.gmatch("1234", "\\d", "jo", { pos = 3 })()[0])
        }
    }
--- response_body
0: 0=12, 3
1: 0=12, 3
2: 0=23, 4
2.5: 0=23, 4
-7: 0=12, 3
3: 0=34, 5
4: nil, 4
5: nil, 5
6: nil pcre_exec() failed: -24, 6
100: nil pcre_exec() failed: -24, 100
1000000000000: nil pcre_exec() failed: -24, 1000000000000
0=12, 3
0=34, 5
nil, 5
33
3
--- no_error_log
[error]

=== TEST 5: captures go into a table that is passed
--- config
    location = /t {
        content_by_lua_block {
            local into = { [0] = "old", "old", "old", "kept", n = "old", other = "kept" }
            local captures = ngx.re.match("hello", "(?<n>x)?(h)", "jo", nil, into)
            ngx.say(captures == into, " ", shown(into))
            ngx.say(ngx.re.match("hello", "(x)", "jo", nil, into), " ", shown(into))
            ngx.re.match("hello", "(?<n>h)(?<n>e)", "D", nil, into)
            ngx.say(shown(into))
        }
    }
--- response_body
true 0=h 1=false 2=h 3=kept n=false other=kept
nil 0=h 1=false 2=h 3=kept n=false other=kept
0=he 1=h 2=e 3=kept n={h,e} other=kept
--- no_error_log
[error]

=== TEST 6: find gives positions, those of the nth group too
--- config
    location = /t {
        content_by_lua_block {
            local function find(...)
                local parts = { ngx.re.find(...) }
                for i = 1, select("#", ngx.re.find(...)) do parts[i] = tostring(parts[i]) end
                return table.concat(parts, " ")
            end
            ngx.say(find("hello, 1234", "([0-9])([0-9])"))
            for _, nth in ipairs { 0, 1, 2, 3, 4, -1, 1.5 } do ngx.say(nth, ": ", find("hello", "(e)(x)?(l)", "jo", nil, nth)) end
            ngx.say(find("hello", "(e)", "d", nil, 1))
            ngx.say(find("hello", "x"))
            ngx.say(find("", ""))
            ngx.say(find("hello", "$"))
            local ctx = { pos = 2 }
            ngx.say(find("hello", "(l)o", "", ctx, 1), ", ", ctx.pos)
        }
    }
--- response_body
8 9
0: 2 3
1: 2 2
2: nil nil
3: 3 3
4: nil nil nth out of bound
-1: 2 3
1.5: 2 2
nil nil nth out of bound
nil
1 0
6 5
4 4, 6
--- no_error_log
[error]

=== TEST 7: gmatch iterates; empty matches go on by one character
--- config
    location = /t {
        content_by_lua_block {
            local function all(...)
                local parts = {}
                for captures, err in ngx.re.gmatch(...) do parts[#parts + 1] = shown(captures) end
                ngx.say("[", table.concat(parts, "; "), "]")
            end
            all("hello, world", "([a-z])[a-z]+")
            all("hello", "l*")
            all("hello", "l*", "jo")
            all("", "")
            all("ab", "")
            all("\228\189\160\229\165\189", "", "u")
            all("\228\189\160\229\165\189", "", "U")
            all("\228\189\160\229\165\189", ".", "u")
            all("xhehe", "he", "a")
            all("hehe", "he", "a")
            all("aab", "a+|b", "d")
            all("nothing", "x")
            local outer, inner = {}, {}
            for m in ngx.re.gmatch("a,b", "[a-z]", "jo") do
                outer[#outer + 1] = m[0]
                for n in ngx.re.gmatch("c,d", "[a-z]", "jo") do inner[#inner + 1] = n[0] end
            end
            ngx.say(table.concat(outer), table.concat(inner))
            local iterator = ngx.re.gmatch("a", "a")
            ngx.say(iterator()[0], " ", tostring(iterator()), " ", tostring(iterator()))
        }
    }
--- response_body
[0=hello 1=h; 0=world 1=w]
[0=; 0=; 0=ll; 0=; 0=]
[0=; 0=; 0=ll; 0=; 0=]
[0=]
[0=; 0=; 0=]
[0=; 0=; 0=]
[0=; 0=; 0=]
[0=你; 0=好]
[]
[0=he; 0=he]
[0=aa; 0=b]
[]
abcdcd
a nil nil
--- no_error_log
[error]

=== TEST 8: wrong arguments raise where the call is
--- config
    location = /t {
        content_by_lua_block {
            local re = ngx.re
            ngx.say(failure(re.match))
            ngx.say(failure(re.match, "a", nil))
            ngx.say(failure(re.find, "a", 1))
            ngx.say(failure(re.gmatch, "a", true))
            ngx.say(failure(re.match, "a", "a", 1))
            ngx.say(failure(re.match, "a", "a", "jk"))
            ngx.say(failure(re.gmatch, "a", "a", "A"))
            ngx.say(failure(re.find, "a", "a", "o "))
            ngx.say(failure(re.match, "a", "a", "", 1))
            ngx.say(failure(re.match, "a", "a", "", "ctx"))
            ngx.say(failure(re.match, "a", "a", "", { pos = "1" }))
            ngx.say(failure(re.match, "a", "a", "", nil, 1))
            ngx.say(failure(re.find, "a", "a", "", nil, "1"))
            local _, err = pcall(function() re.match("a", nil) end)
            ngx.say(err:match("^content_by_lua.-:(%d+): "), " ", debug.getinfo(1, "l").currentline)
            _, err = pcall(function() re.gmatch("a", "a", "q") end)
            ngx.say(err:match("^content_by_lua.-:(%d+): "), " ", debug.getinfo(1, "l").currentline)
        }
    }
--- response_body
attempt to get length of local 'regex' (a nil value)
attempt to get length of local 'regex' (a nil value)
attempt to get length of local 'regex' (a number value)
attempt to get length of local 'regex' (a boolean value)
attempt to get length of local 'opts' (a number value)
unknown flag "k" (flags "jk")
unknown flag "A" (flags "A")
unknown flag " " (flags "o ")
attempt to index local 'ctx' (a number value)
attempt to index local 'ctx' (a string value)
attempt to compare string with number
attempt to index local 'res' (a number value)
attempt to compare string with number
16 17
18 19
--- no_error_log
[error]

=== TEST 9: bad patterns
--- config
    location = /t {
        content_by_lua_block {
            for _, pattern in ipairs {
                "(abc", "abc)", "[a", "[z-a]", "*a", "a**", "a{2,1}", "a\\", "(?z)", "(?<n", "(a)\\2", "\\x{110000}",
                "[[:no:]]", "\\p{Foo}", "(?<1>a)", "\\u0061", "(?C256)",
            } do
                ngx.say(select(2, ngx.re.match("abc", pattern)))
            end
            ngx.say(select(2, ngx.re.match("abc", "\228", "u")) == 'pcre_compile() failed: invalid UTF-8 string in "\228" at "\228"')
            ngx.say(select(3, ngx.re.find("abc", "(")), ", ", select(2, ngx.re.gmatch("abc", "(")))
        }
    }
--- response_body
pcre_compile() failed: missing ) in "(abc"
pcre_compile() failed: unmatched parentheses in "abc)" at ")"
pcre_compile() failed: missing terminating ] for character class in "[a"
pcre_compile() failed: range out of order in character class in "[z-a]" at "a]"
pcre_compile() failed: nothing to repeat in "*a" at "*a"
pcre_compile() failed: nothing to repeat in "a**" at "*"
pcre_compile() failed: numbers out of order in {} quantifier in "a{2,1}" at "}"
pcre_compile() failed: \ at end of pattern in "a\"
pcre_compile() failed: unrecognized character after (? or (?- in "(?z)" at "z)"
pcre_compile() failed: syntax error in subpattern name (missing terminator) in "(?<n"
pcre_compile() failed: reference to non-existent subpattern in "(a)\2"
pcre_compile() failed: character value in \x{} or \o{} is too large in "\x{110000}" at "}"
pcre_compile() failed: unknown POSIX class name in "[[:no:]]" at "no:]]"
pcre_compile() failed: unknown property name after \P or \p in "\p{Foo}" at "}"
pcre_compile() failed: group name must start with a non-digit in "(?<1>a)" at "1>a)"
pcre_compile() failed: PCRE does not support \L, \l, \N{name}, \U, or \u in "\u0061" at "u0061"
pcre_compile() failed: number after (?C is > 255 in "(?C256)" at ")"
true
pcre_compile() failed: missing ) in "(", pcre_compile() failed: missing ) in "("
--- no_error_log
[error]

=== TEST 10: patterns that only PCRE 1 takes mean what they meant
--- config
    location = /t {
        content_by_lua_block {
            ngx.say(shown(ngx.re.match("a-b.c d", "[\\w-.]+")))
            ngx.say(shown(ngx.re.match("1-/x", "[\\d-/]+", "jo")))
            ngx.say(shown(ngx.re.match("a-b", "[[:alpha:]-.]+")))
            ngx.say(shown(ngx.re.match("jq", "\\j\\q")))
            ngx.say(shown(ngx.re.match("a", "[\\w-.](")))
            ngx.say(shown(ngx.re.match("a", "[a-\\d]")))
        }
    }
--- response_body
0=a-b.c
0=1-/
0=a-b
0=jq
nil pcre_compile() failed: missing ) in "[\w-.]("
nil pcre_compile() failed: invalid range in character class in "[a-\d]" at "d]"
--- no_error_log
[error]
