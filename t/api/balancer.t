# ngx.balancer
use Test::Nginx::Socket 'no_plan';

no_long_string();
$ENV{TEST_NGINX_HTML_DIR} ||= html_dir();

# The Lua of the upstream is the request's `lua` section.
add_block_preprocessor(sub {
    my $block = shift;
    my $lua = $block->lua;
    return if !defined $lua;
    my $http = $block->http_config // '';
    $block->set_value(http_config => <<"EOC" . $http);
    proxy_next_upstream error timeout http_404 http_500 non_idempotent;
    upstream back {
        server 127.0.0.1:1;
        balancer_by_lua_block {
            local balancer, port = require "ngx.balancer", ngx.var.server_port
            local ctx = ngx.ctx
            ctx.attempt = (ctx.attempt or 0) + 1
            $lua
        }
    }
EOC
    my $config = $block->config // '    location /t { proxy_pass http://back/peer; }';
    $block->set_value(config => $config . <<'EOC');
    location /peer { return 200 "peer of $server_addr\n"; }
    location /broken { return 500; }
    location /absent { return 404; }
    location /echo {
        content_by_lua_block {
            ngx.req.read_body()
            ngx.say(ngx.var.http_x_attempt, " ", ngx.req.get_body_data())
        }
    }
EOC
    $block->set_value(request => 'GET /t') if !defined $block->request && !defined $block->pipelined_requests;
});

run_tests();

__DATA__

=== TEST 1: set_current_peer takes an address and a port, or both in one
--- lua
    local peers = {
        { "127.0.0.1", port }, { "127.0.0.1", tonumber(port) }, { "127.0.0.1:" .. port }, { "127.0.0.1:" .. port, 1 },
        { "127.0.0.1", port + 0.5 },
    }
    local peer = peers[tonumber(ngx.var.arg_n)]
    assert(balancer.set_current_peer(peer[1], peer[2]) == true)
--- pipelined_requests eval
[map { "GET /t?n=$_" } 1 .. 5]
--- response_body eval
[map { "peer of 127.0.0.1\n" } 1 .. 5]



=== TEST 2: a UNIX domain socket
--- http_config
    server {
        listen unix:$TEST_NGINX_HTML_DIR/balancer.sock;
        location / { return 200 "by $uri\n"; }
    }
--- lua
    assert(balancer.set_current_peer("unix:$TEST_NGINX_HTML_DIR/balancer.sock"))
--- response_body
by /peer



=== TEST 3: what is no address is refused and changes nothing
--- lua
    local said = {}
    assert(balancer.set_current_peer("127.0.0.1", port))
    for _, address in ipairs { "localhost", "", ":", "::1", "127.0.0.1/x", "127.0.0.1\\0", ("a"):rep(70000), "unix:",
        "unix:/" .. ("a"):rep(200), "[::1", "127.0.0.1\\r\\n" } do
        local ok, err = balancer.set_current_peer(address, 80)
        said[#said + 1] = tostring(ok) .. " " .. err
    end
    ngx.header.X_Said = table.concat(said, "; ")
--- response_headers
X-Said: nil no host allowed; nil no host; nil invalid port; nil invalid port; nil invalid host; nil no host allowed; nil no host allowed; nil no path in the unix domain socket; nil too long path in the unix domain socket; nil invalid host; nil no host allowed
--- response_body
peer of 127.0.0.1



=== TEST 4: nor is every number a port
--- lua
    local said = {}
    for _, number in ipairs { -1, 65536, 1e20, 0/0, 1/0, "70000" } do
        local ok, err = balancer.set_current_peer("127.0.0.1", number)
        said[#said + 1] = tostring(ok) .. " " .. err
    end
    assert(balancer.set_current_peer("127.0.0.1", port))
    ngx.header.X_Said = table.concat(said, "; ")
--- response_headers
X-Said: nil invalid port; nil invalid port; nil invalid port; nil invalid port; nil invalid port; nil invalid port
--- response_body
peer of 127.0.0.1



=== TEST 5: wrong types raise
--- lua
    local said = {}
    local function try(...)
        local ok, err = pcall(...)
        said[#said + 1] = ok and "fine" or err:match("%((.*)%)")
    end
    try(balancer.set_current_peer)
    try(balancer.set_current_peer, {}, 80)
    try(balancer.set_current_peer, 127, 80)
    try(balancer.set_current_peer, "127.0.0.1", "http")
    try(balancer.set_current_peer, "127.0.0.1", {})
    try(balancer.set_more_tries)
    try(balancer.set_more_tries, "1")
    try(balancer.set_more_tries, {})
    assert(balancer.set_current_peer("127.0.0.1", port))
    ngx.header.X_Said = table.concat(said, "; ")
--- response_headers
X-Said: string expected, got nil; string expected, got table; string expected, got number; number expected, got string; number expected, got table; number expected, got nil; number expected, got string; number expected, got table
--- response_body
peer of 127.0.0.1



=== TEST 6: set_more_tries allows attempts after the current one; get_last_failure tells of the one before
--- config
    location /t {
        proxy_pass http://back/absent;
        log_by_lua_block { ngx.log(ngx.NOTICE, "statuses: ", ngx.var.upstream_status) }
    }
--- lua
    ngx.log(ngx.NOTICE, "attempt ", ctx.attempt, ": ", table.concat({ tostring((balancer.get_last_failure())),
        tostring((select(2, balancer.get_last_failure()))) }, " "))
    if ctx.attempt == 1 then assert(balancer.set_more_tries(2)) end
    assert(balancer.set_current_peer("127.0.0.1", ctx.attempt == 2 and 1 or port))
--- error_code: 404
--- error_log
attempt 1: nil nil
attempt 2: next 404
attempt 3: failed 502
statuses: 404, 502, 404
--- no_error_log
attempt 4



=== TEST 7: each attempt is named as it was, whatever comes after it
--- config
    location /t {
        proxy_pass http://back/peer;
        log_by_lua_block { ngx.log(ngx.NOTICE, "addresses: ", ngx.var.upstream_addr) }
    }
--- lua
    if ctx.attempt == 1 then assert(balancer.set_more_tries(1)) end
    assert(balancer.set_current_peer("127.0.0.1", ctx.attempt == 1 and 1 or port))
--- response_body
peer of 127.0.0.1
--- error_log eval
[qr/addresses: 127\.0\.0\.1:1, 127\.0\.0\.1:\d\d+/]



=== TEST 8: no more tries than proxy_next_upstream_tries allows in all
--- config
    location /t {
        proxy_next_upstream_tries 3;
        proxy_pass http://back/broken;
    }
--- lua
    local ok, err = balancer.set_more_tries(5)
    ngx.log(ngx.NOTICE, "attempt ", ctx.attempt, ": ", tostring(ok), " ", tostring(err))
    assert(balancer.set_current_peer("127.0.0.1", port))
--- error_code: 500
--- error_log
attempt 1: true reduced tries due to limit
attempt 2: true reduced tries due to limit
attempt 3: true reduced tries due to limit
--- no_error_log
attempt 4



=== TEST 9: the last call of set_more_tries counts; strange numbers allow none or very many
--- config
    location /t { proxy_pass http://back/broken; }
--- lua
    for _, count in ipairs { 1e300, 7, 0/0, -3, 1.9 } do assert(balancer.set_more_tries(count)) end
    if ctx.attempt > 1 then assert(balancer.set_more_tries(-1)) end
    ngx.log(ngx.NOTICE, "attempt ", ctx.attempt)
    assert(balancer.set_current_peer("127.0.0.1", port))
--- error_code: 500
--- error_log
attempt 2
--- no_error_log
attempt 3



=== TEST 10: set_timeouts
--- config
    location /t {
        proxy_pass http://back/slow;
    }
    location /slow { content_by_lua_block { ngx.sleep(3) } }
--- lua
    assert(balancer.set_timeouts(nil, nil, 0.01) == true)
    assert(balancer.set_timeouts() == true)
    assert(balancer.set_timeouts(1e300, 5, nil) == true)
    assert(balancer.set_current_peer("127.0.0.1", port))
--- error_code: 504
--- error_log
upstream timed out



=== TEST 11: which are of this request only
--- config
    location /t {
        proxy_pass http://back/slow;
    }
    location /slow { content_by_lua_block { ngx.sleep(0.05) ngx.say("slow") } }
--- lua
    if ngx.var.arg_short then assert(balancer.set_timeouts(nil, nil, 0.0001)) end
    assert(balancer.set_current_peer("127.0.0.1", port))
--- request eval
["GET /t?short=1", "GET /t"]
--- error_code eval
[504, 200]



=== TEST 12: bad timeouts raise and change nothing
--- lua
    local said = {}
    for _, timeouts in ipairs { { 0 }, { -1 }, { "1" }, { 0/0 }, { {} }, { 1, 0 }, { 1, 1, 0 } } do
        local ok, err = pcall(balancer.set_timeouts, timeouts[1], timeouts[2], timeouts[3])
        said[#said + 1] = tostring(ok) .. " " .. err
    end
    assert(balancer.set_current_peer("127.0.0.1", port))
    ngx.header.X_Said = table.concat(said, "; ")
--- response_headers
X-Said: false bad connect timeout; false bad connect timeout; false bad connect timeout; false bad connect timeout; false bad connect timeout; false bad send timeout; false bad read timeout
--- response_body
peer of 127.0.0.1



=== TEST 13: recreate_request makes what is sent anew, its body included
--- config
    location /t {
        set $attempt none;
        proxy_set_header X-Attempt $attempt;
        proxy_pass http://back/echo;
    }
--- lua
    if ctx.attempt == 1 then
        assert(balancer.set_more_tries(1))
        assert(balancer.set_current_peer("127.0.0.1", 1))
        return
    end
    ngx.var.attempt = "second"
    assert(balancer.recreate_request() == true)
    assert(balancer.recreate_request() == true)
    assert(balancer.set_current_peer("127.0.0.1", port))
--- request
POST /t
the body
--- response_body
second the body



=== TEST 14: a retry without it sends what was made first
--- config
    location /t {
        set $attempt first;
        proxy_set_header X-Attempt $attempt;
        proxy_pass http://back/echo;
    }
--- lua
    ngx.var.attempt = "other"
    assert(balancer.set_more_tries(1))
    assert(balancer.set_current_peer("127.0.0.1", ctx.attempt == 1 and 1 or port))
--- request
POST /t
the body
--- response_body
first the body



=== TEST 15: elsewhere nothing of it works, and it says why
--- config
    location /t {
        proxy_pass http://back/peer;
        rewrite_by_lua_block {
            local balancer = require "ngx.balancer"
            local said = {}
            local function try(...) said[#said + 1] = tostring((...)) .. " " .. tostring((select(2, ...))) end
            try(balancer.set_current_peer("127.0.0.1", 80))
            try(balancer.set_more_tries(1))
            try(balancer.set_timeouts(1, 1, 1))
            try(balancer.recreate_request())
            try(balancer.get_last_failure(), (select(3, balancer.get_last_failure())))
            ngx.header.X_Before = table.concat(said, "; ")
        }
        header_filter_by_lua_block {
            ngx.header.X_After = select(2, require("ngx.balancer").set_current_peer("127.0.0.1", 80))
        }
    }
--- lua
    assert(balancer.set_current_peer("127.0.0.1", port))
--- response_headers
X-Before: nil no upstream found; nil no upstream found; false no upstream found; nil no upstream found; nil no upstream found
X-After: API disabled in the current context
--- response_body
peer of 127.0.0.1



=== TEST 16: nor outside of requests
--- http_config
    init_worker_by_lua_block {
        local ok, err = pcall(require("ngx.balancer").set_current_peer, "127.0.0.1", 80)
        ngx.log(ngx.NOTICE, "outside: ", err)
    }
--- lua
    assert(balancer.set_current_peer("127.0.0.1", port))
--- error_log
outside: no request found
