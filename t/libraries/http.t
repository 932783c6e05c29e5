# HTTP over a cosocket: heads line by line, bodies by length and in chunks, connections that are kept, TLS.
use Test::Nginx::Socket 'no_plan';

use HotLua::Server;

# The clients' certificates are checked where they are asked for by name.
my $https = HotLua::Server->https(
    names => ['shop.test', 'other.test', 'client.test'],
    http => 'ssl_session_cache shared:sessions:1m; ssl_protocols TLSv1.2 TLSv1.3;
        map $connection_requests $place { default later; 1 first; }
        server {
            listen 127.0.0.1:%PORT% ssl;
            server_name other.test;
            ssl_certificate tls/other.test.chain;
            ssl_certificate_key tls/other.test.key;
            location = /name { return 200 "other as $ssl_server_name"; }
        }
        server {
            listen 127.0.0.1:%PORT% ssl;
            server_name client.test;
            ssl_certificate tls/client.test.chain;
            ssl_certificate_key tls/client.test.key;
            ssl_client_certificate tls/ca.crt;
            ssl_verify_client on;
            location = /name { return 200 "$ssl_client_verify $ssl_client_s_dn"; }
        }',
    server => 'server_name shop.test;
        location = /name { return 200 "shop as $ssl_server_name"; }
        location = /place { return 200 "$place"; }
        location = /session { return 200 "$ssl_session_reused"; }
        location = /protocol { return 200 "$ssl_protocol"; }
        location = /cipher { return 200 "$ssl_cipher"; }
        location = /close { keepalive_timeout 0; return 200 "bye"; }
        location = /none { return 204; }
        location = /large { alias %ROOT%/large; }
        location = /chunked { alias %ROOT%/large; sub_filter_once off; sub_filter_types *; sub_filter "aaaa" "bbbb"; }',
);
my $large = join '', map { "line $_ of many aaaa\n" } 1 .. 20000;
$https->write('large', $large);

$ENV{TEST_NGINX_HTTPS_PORT} = $https->{port};
$ENV{TEST_NGINX_HTTP_PORT} = $https->{plain};
$ENV{TEST_NGINX_TLS} = "$https->{root}/tls";
$ENV{TEST_NGINX_LARGE_SIZE} = length $large;

my $CLIENT = <<'LUA';
local http = {}

function http.connect(port, options)
    local sock = ngx.socket.tcp()
    sock:settimeouts(5000, 5000, 5000)
    assert(sock:connect("127.0.0.1", port, options))
    return sock
end

local function chunks(sock)
    local parts = {}
    while true do
        local size = tonumber(assert(sock:receive()), 16)
        if size == 0 then
            assert(sock:receive() == "")
            return table.concat(parts), #parts
        end
        parts[#parts + 1] = assert(sock:receive(size))
        assert(sock:receive(2) == "\r\n")
    end
end

-- Body, status, header and for a body in chunks their number.
function http.ask(sock, path, method, body)
    local sent, err = sock:send {
        method or "GET", " ", path, " HTTP/1.1\r\nHost: shop.test\r\nContent-Length: ", #(body or ""), "\r\n\r\n", body or "",
    }
    if not sent then return nil, err end
    local line, err = sock:receive("*l")
    if not line then return nil, err end
    local header = {}
    local next_line = sock:receiveuntil("\r\n")
    while true do
        local line = assert(next_line())
        if line == "" then break end
        local name, value = line:match("^([^:]+): (.*)$")
        header[name:lower()] = value
    end
    local status = tonumber(line:match("^HTTP/1.1 (%d+)"))
    if method == "HEAD" or status == 204 then return "", status, header end
    if header["transfer-encoding"] == "chunked" then
        local text, count = chunks(sock)
        return text, status, header, count
    end
    local length = tonumber(header["content-length"])
    return length == 0 and "" or assert(sock:receive(length)), status, header
end

return http
LUA

add_block_preprocessor(sub {
    my ($block) = @_;
    $block->set_value(user_files => ">>> http.lua\n$CLIENT");
    $block->set_value(http_config => ($block->http_config // '') . 'lua_package_path "$prefix/html/?.lua;;";');
    $block->set_value(no_error_log => '[error]') if !defined $block->error_log;
});

worker_connections(1024);
log_level('info');
no_long_string();
run_tests();

__DATA__

=== TEST 1: many requests on a connection
--- config
    location = /t {
        content_by_lua_block {
            local http = require "http"
            local sock = http.connect($TEST_NGINX_HTTP_PORT)
            ngx.say((http.ask(sock, "/place")))
            local body, status, header = http.ask(sock, "/large")
            ngx.say(status, " ", #body, " ", header["content-length"] == "$TEST_NGINX_LARGE_SIZE", " ", select(2, body:gsub("aaaa\n", "")) == 20000)
            ngx.say((select(2, http.ask(sock, "/none"))), " ", (select(2, http.ask(sock, "/large", "HEAD"))), " ", (select(2, http.ask(sock, "/missing"))))
            ngx.say((http.ask(sock, "/place")))
            ngx.say(sock:setkeepalive())
            sock = http.connect($TEST_NGINX_HTTP_PORT)
            ngx.say((http.ask(sock, "/place")), " ", sock:getreusedtimes())
            ngx.say((http.ask(sock, "/close")))
            ngx.say(sock:receive(1))
            ngx.say(sock:setkeepalive())
        }
    }
--- request
GET /t
--- response_body eval
"first
200 $ENV{TEST_NGINX_LARGE_SIZE} true true
204 200 404
later
1
later 1
bye
nilclosed
nilclosed
"



=== TEST 2: bodies in chunks
--- config
    location = /t {
        content_by_lua_block {
            local http = require "http"
            local sock = http.connect($TEST_NGINX_HTTP_PORT)
            for _ = 1, 3 do
                local body, status, header, count = http.ask(sock, "/chunked")
                ngx.say(status, " ", #body, " ", select(2, body:gsub("bbbb", "")), " ", count > 1)
            end
            ngx.say(sock:setkeepalive())
        }
    }
--- request
GET /t
--- response_body eval
"200 $ENV{TEST_NGINX_LARGE_SIZE} 20000 true\n" x 3 . "1\n"



=== TEST 3: chunks of this server's own Lua, as they come
--- config
    location = /parts {
        content_by_lua_block {
            for i = 1, 200 do ngx.print(("p"):rep(i)) ngx.flush(true) end
        }
    }
    location = /t {
        content_by_lua_block {
            local http = require "http"
            local sock = http.connect($TEST_NGINX_SERVER_PORT)
            local body, status, header, count = http.ask(sock, "/parts")
            ngx.say(status, " ", #body, " ", count)
        }
    }
--- request
GET /t
--- response_body
200 20100 200



=== TEST 4: a body that is sent while the answer is read
--- config
    location = /echo {
        client_max_body_size 30m;
        content_by_lua_block {
            local sock = ngx.req.socket()
            ngx.header.content_length = ngx.var.content_length
            while true do
                local data, err = sock:receiveany(8192)
                if not data then break end
                ngx.print(data)
                ngx.flush(true)
            end
        }
    }
    location = /t {
        content_by_lua_block {
            local http = require "http"
            local sock = http.connect($TEST_NGINX_SERVER_PORT)
            local size = 4000000
            sock:send { "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: ", size, "\r\n\r\n" }
            local writer = ngx.thread.spawn(function()
                local sent = 0
                for i = 1, size / 1000 do sent = sent + assert(sock:send(("%04d"):format(i) .. ("e"):rep(996))) end
                return sent
            end)
            while assert(sock:receive()) ~= "" do end
            local right = 0
            for i = 1, size / 1000 do
                if sock:receive(1000) == ("%04d"):format(i) .. ("e"):rep(996) then right = right + 1 end
            end
            ngx.say(right, " ", select(2, ngx.thread.wait(writer)))
        }
    }
--- request
GET /t
--- response_body
4000 4000000



=== TEST 5: TLS, verified
--- config
    lua_ssl_trusted_certificate $TEST_NGINX_TLS/ca.crt;
    location = /t {
        content_by_lua_block {
            local http = require "http"
            local sock = http.connect($TEST_NGINX_HTTPS_PORT)
            ngx.say(type(sock:sslhandshake(nil, "shop.test", true)))
            ngx.say((http.ask(sock, "/name")))
            local body = http.ask(sock, "/chunked")
            ngx.say(#body == $TEST_NGINX_LARGE_SIZE, " ", select(2, body:gsub("bbbb", "")))
            body = http.ask(sock, "/large")
            ngx.say(#body == $TEST_NGINX_LARGE_SIZE)
            ngx.say(sock:setkeepalive())
        }
    }
--- request
GET /t
--- response_body
cdata
shop as shop.test
true 20000
true
1



=== TEST 6: certificates that are not to be trusted
--- config
    location = /t {
        lua_ssl_trusted_certificate $TEST_NGINX_TLS/ca.crt;
        content_by_lua_block {
            local http = require "http"
            local function shake(...)
                local sock = http.connect($TEST_NGINX_HTTPS_PORT, { pool = tostring(ngx.now()) .. math.random() })
                local session, err = sock:sslhandshake(...)
                ngx.say(type(session), " ", err)
            end
            shake(nil, "another.test", true)
            shake(nil, "another.test", false)
            shake(false, "shop.test", true)
            shake()
        }
    }
    location = /nobody {
        content_by_lua_block {
            local sock = require("http").connect($TEST_NGINX_HTTPS_PORT)
            ngx.say(sock:sslhandshake(nil, "shop.test", true))
        }
    }
--- request eval
["GET /t", "GET /nobody"]
--- response_body_like eval
[qr/\Anil certificate host mismatch\ncdata nil\nboolean nil\ncdata nil\n\z/, qr/\Anil(?:19: self.signed certificate in certificate chain|20: unable to get local issuer certificate)\n\z/]
--- error_log
lua ssl



=== TEST 7: sessions are used again
--- config
    lua_ssl_protocols TLSv1.2;
    location = /t {
        content_by_lua_block {
            local http = require "http"
            local function shake(session)
                local sock = http.connect($TEST_NGINX_HTTPS_PORT)
                local new, err = sock:sslhandshake(session, "shop.test")
                ngx.say((http.ask(sock, "/session")), " ", (http.ask(sock, "/protocol")))
                sock:close()
                return new
            end
            local session = shake()
            session = shake(session)
            session = shake(session)
            shake()
        }
    }
--- request
GET /t
--- response_body
. TLSv1.2
r TLSv1.2
r TLSv1.2
. TLSv1.2



=== TEST 8: a connection that was kept needs no second handshake
--- config
    location = /t {
        content_by_lua_block {
            local http = require "http"
            for _ = 1, 3 do
                local sock = http.connect($TEST_NGINX_HTTPS_PORT)
                assert(sock:sslhandshake(nil, "shop.test"))
                ngx.say(sock:getreusedtimes(), " ", (http.ask(sock, "/place")))
                ngx.say(sock:setkeepalive(10000, 10))
            end
        }
    }
--- request
GET /t
--- response_body
0 first
1
1 later
1
2 later
1



=== TEST 9: the server's name picks the certificate
--- config
    lua_ssl_trusted_certificate $TEST_NGINX_TLS/ca.crt;
    location = /t {
        content_by_lua_block {
            local http = require "http"
            for _, name in ipairs { "shop.test", "other.test" } do
                local sock = http.connect($TEST_NGINX_HTTPS_PORT)
                assert(sock:sslhandshake(nil, name, true))
                sock:send("GET /name HTTP/1.0\r\nHost: " .. name .. "\r\n\r\n")
                ngx.say(assert(sock:receive("*a")):match("\r\n\r\n(.*)"))
            end
        }
    }
--- request
GET /t
--- response_body
shop as shop.test
other as other.test



=== TEST 10: a certificate of the client's own
--- config
    location = /t {
        content_by_lua_block {
            local ssl, http = require "ngx.ssl", require "http"
            local function slurp(name)
                local file = assert(io.open("$TEST_NGINX_TLS/" .. name))
                local text = file:read("*a")
                file:close()
                return text
            end
            local chain = assert(ssl.parse_pem_cert(slurp("client.test.chain")))
            local key = assert(ssl.parse_pem_priv_key(slurp("client.test.key")))
            local function name_of(with)
                local sock = http.connect($TEST_NGINX_HTTPS_PORT)
                if with then assert(sock:setclientcert(chain, key)) end
                assert(sock:sslhandshake(nil, "client.test"))
                sock:send("GET /name HTTP/1.0\r\nHost: client.test\r\n\r\n")
                return sock:receive("*a"):match("\r\n\r\n(%C+)")
            end
            ngx.say(name_of(true))
            ngx.say(name_of(false))
            local sock = http.connect($TEST_NGINX_HTTPS_PORT)
            ngx.say(sock:setclientcert(chain))
        }
    }
--- request
GET /t
--- response_body
SUCCESS CN=client.test
<html>
nilclient certificate must be supplied with corresponding private key



=== TEST 11: ciphers and protocols that are chosen
--- config
    lua_ssl_protocols TLSv1.2;
    lua_ssl_ciphers ECDHE-RSA-AES128-GCM-SHA256;
    location = /t {
        content_by_lua_block {
            local http = require "http"
            local sock = http.connect($TEST_NGINX_HTTPS_PORT)
            assert(sock:sslhandshake(nil, "shop.test"))
            ngx.say((http.ask(sock, "/protocol")), " ", (http.ask(sock, "/cipher")))
        }
    }
    location = /other {
        lua_ssl_protocols TLSv1.3;
        content_by_lua_block {
            local http = require "http"
            local sock = http.connect($TEST_NGINX_HTTPS_PORT)
            assert(sock:sslhandshake(nil, "shop.test"))
            ngx.say((http.ask(sock, "/protocol")))
        }
    }
--- request eval
["GET /t", "GET /other"]
--- response_body eval
["TLSv1.2 ECDHE-RSA-AES128-GCM-SHA256\n", "TLSv1.3\n"]



=== TEST 12: a server that speaks no TLS
--- config
    location = /t {
        content_by_lua_block {
            local sock = require("http").connect($TEST_NGINX_HTTP_PORT)
            ngx.say(sock:sslhandshake())
        }
    }
--- request
GET /t
--- response_body
nilhandshake failed
--- error_log
SSL_do_handshake() failed



=== TEST 13: many connections at once, plain and by TLS
--- config
    lua_ssl_trusted_certificate $TEST_NGINX_TLS/ca.crt;
    location = /t {
        content_by_lua_block {
            local http = require "http"
            local threads, right = {}, 0
            for i = 1, 40 do
                threads[i] = ngx.thread.spawn(function()
                    local tls = i % 2 == 0
                    local sock = http.connect(tls and $TEST_NGINX_HTTPS_PORT or $TEST_NGINX_HTTP_PORT)
                    if tls then assert(sock:sslhandshake(nil, "shop.test", true)) end
                    local body = http.ask(sock, i % 3 == 0 and "/chunked" or "/large")
                    sock:setkeepalive(1000, 100)
                    return #body
                end)
            end
            for i = 1, 40 do if select(2, ngx.thread.wait(threads[i])) == $TEST_NGINX_LARGE_SIZE then right = right + 1 end end
            ngx.say(right)
        }
    }
--- request
GET /t
--- response_body
40
