# ngx.escape_uri, base64, digests, checksums, SQL quoting.
use Test::Nginx::Socket 'no_plan';

no_long_string();
run_tests();

__DATA__

=== TEST 1: escape_uri
--- config
    location = /t {
        content_by_lua_block {
            ngx.say(ngx.escape_uri("a b/c?d=e&f+g"))
            ngx.say(ngx.escape_uri("a b/c?d=e&f+g#%", 0))
            ngx.say(ngx.escape_uri("-._~!'()*"))
            ngx.say(ngx.escape_uri("\0\127\255"))
            ngx.say("[", ngx.escape_uri(), ngx.escape_uri(nil), ngx.escape_uri(""), "]")
            ngx.say(ngx.escape_uri(3.5), ngx.escape_uri(true))
            ngx.say(#ngx.escape_uri(("%"):rep(10000)))
        }
    }
--- request
GET /t
--- response_body
a%20b%2Fc%3Fd%3De%26f%2Bg
a%20b/c%3Fd=e&f+g%23%25
-._~!'()*
%00%7F%FF
[]
3.5true
30000
--- no_error_log
[error]

=== TEST 2: a bad kind of escape raises
--- config
    location = /t {
        content_by_lua_block {
            for _, kind in ipairs { 7, -1, "0", true } do
                local ok, err = pcall(ngx.escape_uri, "x", kind)
                ngx.say((err:gsub("^.-:%d+: ", "")))
            end
        }
    }
--- request
GET /t
--- response_body
"type" 7 out of range
"type" -1 out of range
"type" is not a number
"type" is not a number
--- no_error_log
[error]

=== TEST 3: unescape_uri
--- config
    location = /t {
        content_by_lua_block {
            ngx.say(ngx.unescape_uri("b%20r56+7"))
            ngx.say(ngx.unescape_uri("try %search%%20%again%"))
            ngx.say("[", ngx.unescape_uri(), ngx.unescape_uri(""), "]")
            ngx.say(#ngx.unescape_uri(("%41"):rep(10000)))
        }
    }
--- request
GET /t
--- response_body
b r56 7
try %search% %again%
[]
10000
--- no_error_log
[error]

=== TEST 4: base64
--- config
    location = /t {
        content_by_lua_block {
            for _, text in ipairs { "", "a", "ab", "abc", "abcd" } do
                local padded, bare = ngx.encode_base64(text), ngx.encode_base64(text, true)
                ngx.say(padded, " ", bare, " ", ngx.decode_base64(padded) == text, " ", ngx.decode_base64(bare) == text)
            end
            ngx.say(ngx.encode_base64(), ngx.encode_base64(nil), ngx.encode_base64(12))
            ngx.say(ngx.decode_base64("a"), " ", ngx.decode_base64("a b="), " ", ngx.decode_base64("abc-"))
            local long = ("x"):rep(100001)
            ngx.say(ngx.decode_base64(ngx.encode_base64(long)) == long)
        }
    }
--- request
GET /t
--- response_body
  true true
YQ== YQ true true
YWI= YWI true true
YWJj YWJj true true
YWJjZA== YWJjZA true true
MTI=
nil nil nil
true
--- no_error_log
[error]

=== TEST 5: base64 of wrong types
--- config
    location = /t {
        content_by_lua_block {
            ngx.say(select(2, pcall(ngx.encode_base64, "x", 1)))
            ngx.say(select(2, pcall(ngx.decode_base64)))
            ngx.say(select(2, pcall(ngx.decode_base64, 12)))
        }
    }
--- request
GET /t
--- response_body
bad no_padding: boolean expected, got number
string argument only
string argument only
--- no_error_log
[error]

=== TEST 6: digests and checksums
--- config
    location = /t {
        content_by_lua_block {
            local function hex(text) return (text:gsub(".", function(c) return ("%02x"):format(c:byte()) end)) end
            ngx.say(ngx.md5("hello"))
            ngx.say(ngx.md5(), " ", ngx.md5(12) == ngx.md5("12"))
            ngx.say(hex(ngx.md5_bin("hello")))
            ngx.say(hex(ngx.sha1_bin("hello")))
            ngx.say(hex(ngx.sha1_bin()))
            ngx.say(ngx.encode_base64(ngx.hmac_sha1("thisisverysecretstuff", "some string we want to sign")))
            ngx.say(hex(ngx.hmac_sha1(("\170"):rep(80), "Test Using Larger Than Block-Size Key - Hash Key First")))
            ngx.say(ngx.crc32_short("hello, world"), " ", ngx.crc32_long("hello, world"), " ", ngx.crc32_short(""))
        }
    }
--- request
GET /t
--- response_body
5d41402abc4b2a76b9719d911017c592
d41d8cd98f00b204e9800998ecf8427e true
5d41402abc4b2a76b9719d911017c592
aaf4c61ddcc5e8a2dabede0f3b482cd9aea9434d
da39a3ee5e6b4b0d3255bfef95601890afd80709
R/pvxzHC4NLtj7S+kXFg/NePTmk=
aa4ae5e15272d00e95705637ce8a3b55ed402112
4289425978 4289425978 0
--- no_error_log
[error]

=== TEST 7: hmac_sha1 and quote_sql_str want their arguments
--- config
    location = /t {
        content_by_lua_block {
            for _, call in ipairs {
                function() local _ = ngx.hmac_sha1("x") end,
                function() local _ = ngx.hmac_sha1({}, "x") end,
                function() local _ = ngx.hmac_sha1("x", nil) end,
                function() local _ = ngx.quote_sql_str() end,
                function() local _ = ngx.quote_sql_str(true) end,
            } do
                local ok, err = pcall(call)
                ngx.say((err:gsub("^.-:%d+: ", "")))
            end
        }
    }
--- request
GET /t
--- response_body
expecting 2 arguments, but got 1
bad argument #1 to 'hmac_sha1' (string expected, got table)
bad argument #2 to 'hmac_sha1' (string expected, got nil)
expecting one argument
bad argument #1 to 'quote_sql_str' (string expected, got boolean)
--- no_error_log
[error]

=== TEST 8: quote_sql_str
--- config
    location = /t {
        content_by_lua_block {
            ngx.say(ngx.quote_sql_str("plain"), ngx.quote_sql_str(""), ngx.quote_sql_str(1.5))
            ngx.say(ngx.quote_sql_str("a\n\r\"'\\\0\26\t\b"))
        }
    }
--- request
GET /t
--- response_body
'plain''''1.5'
'a\n\r\"\'\\\0\Z\t\b'
--- no_error_log
[error]
