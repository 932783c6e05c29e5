# The directives of ngx.re: what nginx -t takes, and what it says of what it does not.
use Test::Nginx::Socket 'no_plan';

no_long_string();

add_block_preprocessor(sub {
    my $block = shift;
    $block->set_value(config => '    location = /t { content_by_lua_block { ngx.say("ok") } }') if !defined $block->config;
    return if defined $block->must_die;
    $block->set_value(request => 'GET /t');
    $block->set_value(response_body => "ok\n");
    $block->set_value(no_error_log => "[warn]\n[error]\n[alert]\n[emerg]");
});

no_shuffle();
run_tests();

__DATA__

=== TEST 1: both
--- http_config
    lua_regex_cache_max_entries 4096;
    lua_regex_match_limit 100000;



=== TEST 2: no limits, and ones larger than PCRE counts
--- http_config
    lua_regex_cache_max_entries 0;
    lua_regex_match_limit 10000000000;



=== TEST 3: a limit is a number
--- http_config
    lua_regex_match_limit many;
--- must_die
--- error_log
invalid number "many" in "lua_regex_match_limit", write for instance 1024



=== TEST 4: and not a negative one
--- http_config
    lua_regex_cache_max_entries -1;
--- must_die
--- error_log
invalid number "-1" in "lua_regex_cache_max_entries", write for instance 1024



=== TEST 5: twice
--- http_config
    lua_regex_match_limit 1;
    lua_regex_match_limit 2;
--- must_die
--- error_log
"lua_regex_match_limit" directive is duplicate in



=== TEST 6: in a server
--- config
    lua_regex_cache_max_entries 1;
--- must_die
--- error_log
"lua_regex_cache_max_entries" directive is not allowed here
