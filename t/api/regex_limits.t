# ngx.re: bad UTF-8, the limits of matching, and the cache of patterns.
use Test::Nginx::Socket 'no_plan';

add_block_preprocessor(sub {
    my $block = shift;
    $block->set_value(request => "GET /t") if !defined $block->request;
});

no_long_string();
$ENV{TEST_NGINX_HTML_DIR} ||= html_dir();
log_level('debug');
run_tests();

__DATA__

=== TEST 1: a subject that is not UTF-8
--- config
    location = /t {
        content_by_lua_block {
            local bad = "abc\128"
            for _, flags in ipairs { "u", "ju", "jou", "du", "dU" } do
                ngx.say(flags, ": ", select(2, ngx.re.match(bad, "abc", flags)))
            end
            ngx.say(select(2, ngx.re.match("\237\160\128", "x", "u")), select(2, ngx.re.match(bad, "(*UTF8)abc")))
            ngx.say(select(3, ngx.re.find(bad, "abc", "u")), select(3, ngx.re.gsub(bad, "abc", "", "u")))
            local captures, err = ngx.re.gmatch(bad, "abc", "u")()
            ngx.say(captures, err)
            ngx.say(select(2, ngx.re.match("\228\189\160", ".", "u", { pos = 2 })))
        }
    }
--- response_body
u: pcre_exec() failed: -10
ju: pcre_exec() failed: -10
jou: pcre_exec() failed: -10
du: pcre_exec() failed: -10
dU: pcre_exec() failed: -10
pcre_exec() failed: -10pcre_exec() failed: -10
pcre_exec() failed: -10pcre_exec() failed: -10
nilpcre_exec() failed: -10
pcre_exec() failed: -11
--- no_error_log
[error]

=== TEST 2: unchecked, what is not UTF-8 never matches and does no harm
--- config
    location = /t {
        content_by_lua_block {
            for _, flags in ipairs { "U", "jU", "joU" } do
                for _, subject in ipairs { "\128", "\228", "\228\189", "\255\255", "abc\240" } do
                    local found = {}
                    for m in ngx.re.gmatch("x" .. subject, ".", flags) do found[#found + 1] = m[0] end
                    ngx.print(table.concat(found), " ")
                    ngx.print(ngx.re.gsub(subject, "", "-", flags) ~= nil, " ")
                end
                ngx.say()
            end
        }
    }
--- response_body eval
"x true x true x true x true xabc true \n" x 3
--- no_error_log
[error]

=== TEST 3: lua_regex_match_limit
--- http_config
    lua_regex_match_limit 500;
--- config
    location = /t {
        content_by_lua_block {
            local subject = ("a"):rep(30) .. "!"
            for _, flags in ipairs { "", "o", "j", "jo" } do
                ngx.say(flags, ": ", select(2, ngx.re.match(subject, "^(?:a|aa)+$", flags)))
            end
            ngx.say(select(3, ngx.re.find(subject, "^(?:a|aa)+$")))
            ngx.say(select(3, ngx.re.sub(subject, "^(?:a|aa)+$", "x")))
            ngx.say(select(3, ngx.re.gsub("xx" .. subject, "^x|(?:a|aa)+$", "x")))
            ngx.say(select(3, ngx.re.gsub(subject, "^(?:a|aa)+$", function() return "x" end)))
            local iterator = ngx.re.gmatch("x" .. subject, "x|(?:a|aa)+$")
            ngx.say(iterator()[0], " ", select(2, iterator()), " ", tostring(iterator()))
            ngx.say(ngx.re.match("aaa", "^(?:a|aa)+$")[0])
        }
    }
--- response_body
: pcre_exec() failed: -8
o: pcre_exec() failed: -8
j: pcre_exec() failed: -8
jo: pcre_exec() failed: -8
pcre_exec() failed: -8
pcre_exec() failed: -8
pcre_exec() failed: -8
pcre_exec() failed: -8
x pcre_exec() failed: -8 nil
aaa
--- no_error_log
[error]

=== TEST 4: without a limit PCRE's own holds, for steps and for memory
--- config
    location = /t {
        content_by_lua_block {
            ngx.say(select(2, ngx.re.match(("a"):rep(60) .. "!", "^(?:a|aa)+$", "jo")))
            ngx.say(select(2, ngx.re.match(("ab"):rep(2000000), "(?:(a)|b)*", "o")))
            ngx.say(select(2, ngx.re.match(("ab"):rep(2000000), "(?:(a)|b)*", "jo")))
            ngx.say(#ngx.re.match(("ab"):rep(10000), "(?:(a)|b)*", "o")[0])
        }
    }
--- response_body
pcre_exec() failed: -8
pcre_exec() failed: -21
pcre_exec() failed: -27
20000
--- no_error_log
[error]

=== TEST 5: with o a pattern is compiled once, whatever the order of flags
--- config
    location = /t {
        content_by_lua_block {
            for i = 1, 3 do
                ngx.re.match("a", "a", "jo")
                ngx.re.find("a", "a", "oj")
                ngx.re.sub("a", "a", "b", "jo")
                ngx.re.gmatch("a", "a", "jo")()
            end
            ngx.say("done")
        }
    }
--- response_body
done
--- grep_error_log eval
qr/pcre JIT compiling result: \d+/
--- grep_error_log_out eval
["pcre JIT compiling result: 1\n", ""]

=== TEST 6: without o it is compiled each time; other flags make another pattern
--- config
    location = /t {
        content_by_lua_block {
            for i = 1, 2 do ngx.re.match("a", "a", "j") end
            for i = 1, 2 do ngx.re.match("a", "a", "joi") end
            ngx.say("done")
        }
    }
--- response_body
done
--- grep_error_log eval
qr/pcre JIT compiling result: \d+/
--- grep_error_log_out eval
["pcre JIT compiling result: 1\n" x 3, "pcre JIT compiling result: 1\n" x 2]

=== TEST 7: a full cache is warned of once and keeps what it has
--- http_config
    lua_regex_cache_max_entries 2;
--- config
    location = /t {
        content_by_lua_block {
            for round = 1, 3 do
                for i = 1, 4 do ngx.print(ngx.re.match("a" .. i, "a" .. i, "jo")[0], " ") end
            end
            ngx.say()
        }
    }
--- response_body
a1 a2 a3 a4 a1 a2 a3 a4 a1 a2 a3 a4 
--- grep_error_log eval
qr/\[warn\].*? lua exceeding regex cache max entries \(2\)|pcre JIT/
--- grep_error_log_out eval
[qr/^pcre JIT\npcre JIT\npcre JIT\n\[warn\][^\n]* lua exceeding regex cache max entries \(2\)\n(?:pcre JIT\n){5}$/, "pcre JIT\n" x 6]

=== TEST 8: no limit of the cache
--- http_config
    lua_regex_cache_max_entries 0;
--- config
    location = /t {
        content_by_lua_block {
            for round = 1, 2 do
                for i = 1, 2000 do ngx.re.match("a" .. i, "a" .. i, "o") end
            end
            ngx.say(ngx.re.match("a7", "a7", "o")[0])
        }
    }
--- response_body
a7
--- no_error_log
[warn]
[error]

=== TEST 9: one VM a request has a cache of its own
--- http_config
    lua_code_cache off;
--- config
    location = /t {
        content_by_lua_block {
            for i = 1, 2 do ngx.re.match("a", "a", "jo") end
            ngx.say("done")
        }
    }
--- response_body
done
--- grep_error_log eval
qr/pcre JIT compiling result: \d+/
--- grep_error_log_out eval
["pcre JIT compiling result: 1\n", "pcre JIT compiling result: 1\n"]

=== TEST 10: a new generation's patterns take the places of those before
--- http_config
    lua_package_path "$TEST_NGINX_HTML_DIR/?.lua;;";
    lua_regex_cache_max_entries 2;
--- user_files
>>> some.lua
return {}
--- config
    location = /fill {
        content_by_lua_block {
            require "some"
            for i = 1, 3 do ngx.re.match("a" .. i, "a" .. i, "o") end
            ngx.say("filled")
        }
    }
    location = /change {
        content_by_lua_block {
            local generation, err = require("hotlua").invalidate("some")
            ngx.say(generation and "changed" or err)
        }
    }
    location = /again {
        content_by_lua_block {
            for i = 1, 3 do ngx.re.match("b", "b", "jo") end
            ngx.say(ngx.re.match("a1", "a1", "o")[0])
        }
    }
--- pipelined_requests eval
["GET /fill", "GET /change", "GET /again"]
--- response_body eval
["filled\n", "changed\n", "a1\n"]
--- grep_error_log eval
qr/pcre JIT compiling result: \d+/
--- grep_error_log_out eval
qr/^(?:pcre JIT compiling result: 1\n)?$/

=== TEST 11: memory of patterns that are not kept is given back
--- config
    location = /t {
        content_by_lua_block {
            local function resident()
                for line in io.lines("/proc/self/status") do
                    local kilobytes = line:match("^VmRSS:%s+(%d+)")
                    if kilobytes then return tonumber(kilobytes) end
                end
            end
            local function run(times)
                for i = 1, times do
                    ngx.re.match("hello", "(?<n>l+)(" .. i .. ")?")
                    ngx.re.find("hello", "(l+" .. i)
                    ngx.re.gsub("hello", "l" .. i, "$0")
                    pcall(ngx.re.gsub, "hello", "(l)", function() error("x") end)
                    ngx.re.gmatch("hello", "l")()
                end
            end
            run(5000)
            local before = resident()
            run(20000)
            local grown = resident() - before
            ngx.say(grown < 4096 and "flat" or grown)
        }
    }
--- response_body
flat
--- no_error_log
[error]
