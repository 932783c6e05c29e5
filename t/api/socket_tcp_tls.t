# tcpsock:sslhandshake and tcpsock:setclientcert, and the directives lua_ssl_*: against servers of the same nginx whose
# certificates come from a root of our own.
use strict;
use warnings;
use lib 't/lib';

use IO::Socket::INET;
use IO::Socket::SSL;
use POSIX ();
use Test::Nginx::Socket 'no_plan';

use HotLua::Certificates qw(authority certify directory revoked self_signed);

# A server that takes connections and says nothing, and one whose TLS begins after two lines, in a process of its own.
my ($silent, $later);

sub talk_before_tls {
    my $listen = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 8) or die "listen: $!";
    my $pid = fork // die "fork: $!";
    return ($pid, $listen->sockport) if $pid;
    $SIG{TERM} = sub { POSIX::_exit(0) };
    alarm 120;
    while (my $client = $listen->accept) {
        syswrite $client, "first\nsecond\n";
        my $at = directory();
        my @certificate = (SSL_cert_file => "$at/api.test.chain", SSL_key_file => "$at/api.test.key");
        next if !IO::Socket::SSL->start_SSL($client, SSL_server => 1, @certificate);
        print {$client} "through TLS\n";
        print {$client} "heard ", scalar <$client>;
    }
    POSIX::_exit(0);
}

BEGIN {
    certify(qw(api.test other.test client.test revoked.test));
    authority('middle');
    authority('lower', 'middle');
    certify({ by => 'lower' }, 'deep.test');
    self_signed('self.test');
    revoked('revoked.crl', 'revoked.test');
    $ENV{TEST_NGINX_TLS} = directory();
    $silent = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 64) or die "listen: $!";
    $ENV{TEST_NGINX_SILENT} = $silent->sockport;
    my $port;
    ($later, $port) = talk_before_tls();
    $ENV{TEST_NGINX_LATER} = $port;
}

END { kill TERM => $later if $later }

my $tls = '$TEST_NGINX_TLS';
my $said = 'sni=$ssl_server_name $ssl_protocol reused=$ssl_session_reused client=$ssl_client_s_dn';

sub server {
    my ($port, $name, $more) = @_;
    my $chain = $name eq 'self.test' ? 'crt' : 'chain';
    return <<"CONF";
    server {
        listen 127.0.0.1:\$TEST_NGINX_RAND_PORT_$port ssl;
        server_name $name;
        ssl_certificate $tls/$name.$chain;
        ssl_certificate_key $tls/$name.key;
        $more
        location / { return 200 "$said"; }
        location /cipher { return 200 "\$ssl_cipher"; }
        location /connection { return 200 "\$connection \$connection_requests"; }
        location /length { content_by_lua_block {
            ngx.req.read_body()
            local body = ngx.req.get_body_data() or ""
            ngx.header.content_length = #body
            ngx.print(body)
        } }
        location /big { client_max_body_size 16m; client_body_buffer_size 16m; content_by_lua_block {
            ngx.req.read_body()
            ngx.print(ngx.req.get_body_data())
        } }
    }
CONF
}

my $servers = join '',
    server(1, 'api.test', 'ssl_protocols TLSv1.2;'),
    server(1, 'other.test', 'ssl_protocols TLSv1.2;'),
    server(2, 'api.test', 'ssl_protocols TLSv1.3;'),
    server(3, 'api.test', "ssl_protocols TLSv1.2 TLSv1.3; ssl_verify_client optional; ssl_client_certificate $tls/ca.crt;"),
    server(4, 'self.test', ''),
    server(5, 'deep.test', ''),
    server(6, 'revoked.test', '');

my $lua = <<'LUA';
    init_by_lua_block {
        ports = { tls12 = $TEST_NGINX_RAND_PORT_1, tls13 = $TEST_NGINX_RAND_PORT_2, asks = $TEST_NGINX_RAND_PORT_3,
            self = $TEST_NGINX_RAND_PORT_4, deep = $TEST_NGINX_RAND_PORT_5, revoked = $TEST_NGINX_RAND_PORT_6,
            silent = $TEST_NGINX_SILENT, later = $TEST_NGINX_LATER }

        -- A cosocket that is connected to one of the servers.
        function dial(server)
            local sock = ngx.socket.tcp()
            sock:settimeout(5000)
            assert(sock:connect("127.0.0.1", ports[server]))
            return sock
        end

        -- The body of a response, and the error.
        function ask(sock, path)
            local _, err = sock:send("GET " .. (path or "/") .. " HTTP/1.0\r\nHost: api.test\r\n\r\n")
            if err then return nil, err end
            local text, err = sock:receive("*a")
            return text and text:match("\r\n\r\n(.*)"), err
        end

        -- Shakes hands with a server and asks it: the body, or the error.
        function talk(server, ...)
            local sock = dial(server)
            local session, err = sock:sslhandshake(...)
            if not session then return nil, err end
            local body = ask(sock)
            sock:close()
            return body, session
        end

        function told(...)
            local parts = {}
            for i = 1, select("#", ...) do
                local value = select(i, ...)
                parts[i] = type(value) == "cdata" and "a session" or tostring(value)
            end
            return table.concat(parts, "|")
        end

        function slurp(name)
            local file = assert(io.open("$TEST_NGINX_TLS/" .. name, "rb"))
            local text = file:read("*a")
            file:close()
            return text
        end
    }
LUA

add_block_preprocessor(sub {
    my ($block) = @_;
    my $more = $block->http_config // '';
    my $init = $lua;
    $init =~ s/\$(TEST_NGINX_(?:TLS|SILENT|LATER))/$ENV{$1}/g;
    $block->set_value(http_config => "    lua_ssl_trusted_certificate $tls/ca.crt;\n$more\n$init\n$servers");
    $block->set_value(request => 'GET /t') if !defined $block->request;
});

no_long_string();
run_tests();

__DATA__

=== TEST 1: a server that is trusted, TLS 1.2
--- config
    location = /t { content_by_lua_block {
        local body, session = talk("tls12", nil, "api.test", true)
        ngx.say(body)
        ngx.say(type(session))
    } }
--- response_body
sni=api.test TLSv1.2 reused=. client=
cdata
--- no_error_log
[error]



=== TEST 2: and TLS 1.3
--- config
    lua_ssl_protocols TLSv1.2 TLSv1.3;
    location = /t { content_by_lua_block { ngx.say((talk("tls13", nil, "api.test", true))) } }
--- response_body
sni=api.test TLSv1.3 reused=. client=
--- no_error_log
[error]



=== TEST 3: TLS 1.3 is not offered unless it is named
--- config
    location = /t { content_by_lua_block {
        ngx.say(told(talk("tls13", nil, "api.test", true)))
        ngx.say((talk("asks", nil, "api.test", true)))
    } }
--- response_body
nil|handshake failed
sni=api.test TLSv1.2 reused=. client=
--- error_log eval
qr/\[error\] .*? SSL_do_handshake\(\) failed \(SSL: .*/



=== TEST 4: nobody is trusted
--- http_config
--- config
    lua_ssl_trusted_certificate "";
    location = /t { content_by_lua_block {
        local sock = dial("self")
        ngx.say(told(sock:sslhandshake(nil, "self.test", true)))
        ngx.say(told(sock:send("x")))
        ngx.say(told(talk("deep", nil, "deep.test", true)))
        ngx.say(told(talk("tls12", nil, "api.test", false)))
    } }
--- response_body eval
qr/\Anil\|18: self[- ]signed certificate\nnil\|closed\nnil\|20: unable to get local issuer certificate\nsni=api\.test .*\|a session\n\z/
--- error_log
lua ssl certificate verify error: (20: unable to get local issuer certificate)



=== TEST 5: another host's certificate
--- config
    location = /t { content_by_lua_block {
        local sock = dial("tls12")
        ngx.say(told(sock:sslhandshake(nil, "www.test", true)))
        ngx.say(told(sock:send("x")))
    } }
--- response_body
nil|certificate host mismatch
nil|closed
--- error_log
lua ssl certificate does not match host "www.test"



=== TEST 6: without a name any trusted certificate will do, and the server's name is not asked for
--- config
    location = /t { content_by_lua_block { ngx.say((talk("tls12", nil, nil, true))) } }
--- response_body
sni= TLSv1.2 reused=. client=
--- no_error_log
[error]



=== TEST 7: the name chooses among the servers of an address
--- config
    location = /t { content_by_lua_block {
        ngx.say((talk("tls12", nil, "api.test", true)))
        ngx.say((talk("tls12", nil, "other.test", true)))
    } }
--- response_body
sni=api.test TLSv1.2 reused=. client=
sni=other.test TLSv1.2 reused=. client=
--- no_error_log
[error]



=== TEST 8: a NUL in the name does not hide what follows it
--- config
    location = /t { content_by_lua_block { ngx.say(told(talk("tls12", nil, "api.test\0.evil.test", true))) } }
--- response_body
nil|certificate host mismatch



=== TEST 9: names that cannot be asked for
--- config
    location = /t { content_by_lua_block {
        for _, name in ipairs { "", ("x"):rep(256) } do
            local sock = dial("tls12")
            ngx.say(told(sock:sslhandshake(nil, name, true)))
            ngx.say(told(sock:sslhandshake(nil, "api.test", true)))
        end
    } }
--- response_body
nil|SSL_set_tlsext_host_name failed
a session
nil|SSL_set_tlsext_host_name failed
a session
--- no_error_log
[error]
[alert]



=== TEST 10: false asks for no session; a second handshake does nothing
--- config
    location = /t { content_by_lua_block {
        local sock = dial("tls12")
        ngx.say(told(sock:sslhandshake(false, "api.test", true)))
        ngx.say(told(sock:sslhandshake(false)))
        ngx.say(told(sock:sslhandshake(nil, "www.test", true)))
        ngx.say((ask(sock)))
    } }
--- response_body
true
true
a session
sni=api.test TLSv1.2 reused=. client=
--- no_error_log
[error]



=== TEST 11: a session is resumed
--- config
    lua_ssl_protocols TLSv1.2 TLSv1.3;
    location = /t { content_by_lua_block {
        for _, server in ipairs { "tls12", "tls13" } do
            local body, session = talk(server, nil, "api.test", true)
            ngx.say(body)
            for _ = 1, 2 do
                body, session = talk(server, session, "api.test", true)
                ngx.say(body)
            end
        end
    } }
--- response_body
sni=api.test TLSv1.2 reused=. client=
sni=api.test TLSv1.2 reused=r client=
sni=api.test TLSv1.2 reused=r client=
sni=api.test TLSv1.3 reused=. client=
sni=api.test TLSv1.3 reused=r client=
sni=api.test TLSv1.3 reused=r client=
--- no_error_log
[error]



=== TEST 12: a session outlives its connection, its request and collections of garbage, and is freed once
--- config
    location = /t { content_by_lua_block {
        local body
        if not kept then
            body, kept = talk("tls12", nil, "api.test", true)
        else
            collectgarbage()
            body = talk("tls12", kept, "api.test", true)
            collectgarbage()
            kept = nil
            collectgarbage()
            collectgarbage()
        end
        ngx.say(body)
    } }
--- request eval
["GET /t", "GET /t", "GET /t", "GET /t"]
--- response_body eval
[map { "sni=api.test TLSv1.2 reused=$_ client=\n" } '.', 'r', '.', 'r']
--- no_error_log
[error]
[alert]



=== TEST 13: a session that was returned twice is freed with the last of the two
--- config
    location = /t { content_by_lua_block {
        local _, first = talk("tls12", nil, "api.test", true)
        local _, second = talk("tls12", first, "api.test", true)
        local _, third = talk("tls12", second, "api.test", true)
        first, third = nil, nil
        collectgarbage()
        collectgarbage()
        ngx.say((talk("tls12", second, "api.test", true)))
    } }
--- response_body
sni=api.test TLSv1.2 reused=r client=
--- no_error_log
[error]



=== TEST 14: a session of another server is not taken, and no harm is done
--- config
    location = /t { content_by_lua_block {
        local _, session = talk("tls12", nil, "api.test", true)
        ngx.say(told(talk("self", session, "self.test", false)))
    } }
--- response_body eval
qr/\Asni=self\.test TLSv1\.2 reused=\. client=\|a session\n\z/
--- no_error_log
[error]



=== TEST 15: what is no session is none
--- config
    location = /t { content_by_lua_block {
        local ffi = require "ffi"
        local forged = { true, "session", 12, {}, print, ngx.null, ffi.cast("void *", 4096), ffi.new("int[2]"), 5LL }
        for _, session in ipairs(forged) do
            ngx.say((talk("tls12", session, "api.test", true)))
        end
    } }
--- response_body eval
"sni=api.test TLSv1.2 reused=. client=\n" x 9
--- no_error_log
[error]



=== TEST 16: arguments that are none
--- config
    location = /t { content_by_lua_block {
        local sock = dial("tls12")
        ngx.say(told(pcall(sock.sslhandshake, sock, nil, "api.test", true, false, 1)))
        ngx.say(told(pcall(sock.sslhandshake, sock, nil, 12)))
        ngx.say(told(pcall(sock.sslhandshake, sock, nil, {})))
        ngx.say(told(pcall(sock.sslhandshake, sock, nil, false)))
        ngx.say(told(pcall(sock.sslhandshake)))
        ngx.say(told(pcall(sock.sslhandshake, {})))
        ngx.say(told(pcall(sock.sslhandshake, ngx.socket.tcp())))
        ngx.say(told(sock:sslhandshake(nil, "api.test", 1, "")))
        ngx.say((ask(sock)))
        sock:close()
        ngx.say(told(sock:sslhandshake()))
    } }
--- response_body
false|ngx.socket sslhandshake: expecting 1 ~ 5 arguments (including the object), but seen 6
false|bad argument #3 to '?' (string expected, got number)
false|bad argument #3 to '?' (string expected, got table)
false|bad argument #3 to '?' (string expected, got boolean)
false|ngx.socket sslhandshake: expecting 1 ~ 5 arguments (including the object), but seen 0
false|socket is never created nor connected
false|socket is never created nor connected
a session
sni=api.test TLSv1.2 reused=. client=
nil|closed
--- no_error_log
[error]



=== TEST 17: a certificate of the client's
--- http_config
    lua_ssl_protocols TLSv1.2 TLSv1.3;
--- config
    location = /t { content_by_lua_block {
        local ssl = require "ngx.ssl"
        local cert = assert(ssl.parse_pem_cert(slurp("client.test.chain")))
        local key = assert(ssl.parse_pem_priv_key(slurp("client.test.key")))
        local sock = dial("asks")
        ngx.say(told(sock:setclientcert(cert, key)))
        ngx.say(told(sock:sslhandshake(nil, "api.test", true)))
        ngx.say((ask(sock)))
        sock:close()

        -- It stays with the cosocket, and may be set before there is a connection.
        local again = ngx.socket.tcp()
        again:setclientcert(cert, key)
        for _ = 1, 2 do
            again:connect("127.0.0.1", ports.asks)
            again:sslhandshake(nil, "api.test", true)
            ngx.say((ask(again)))
        end
        ngx.say(told(again:setclientcert(nil, nil)))
        again:connect("127.0.0.1", ports.asks)
        again:sslhandshake(nil, "api.test", true)
        ngx.say((ask(again)))
    } }
--- response_body
true
a session
sni=api.test TLSv1.3 reused=. client=CN=client.test
sni=api.test TLSv1.3 reused=. client=CN=client.test
sni=api.test TLSv1.3 reused=. client=CN=client.test
true
sni=api.test TLSv1.3 reused=. client=
--- no_error_log
[error]



=== TEST 18: certificates that are none
--- config
    location = /t { content_by_lua_block {
        local ssl = require "ngx.ssl"
        local cert = assert(ssl.parse_pem_cert(slurp("client.test.chain")))
        local key = assert(ssl.parse_pem_priv_key(slurp("other.test.key")))
        local sock = dial("asks")
        ngx.say(told(sock:setclientcert()))
        ngx.say(told(sock:setclientcert(cert)))
        ngx.say(told(sock:setclientcert(nil, key)))
        ngx.say(told(sock:setclientcert("cert", key)))
        ngx.say(told(sock:setclientcert(cert, 12)))
        ngx.say(told(sock:setclientcert(key, cert)))
        ngx.say(told(sock:setclientcert(cert, cert)))
        ngx.say(told(pcall(sock.setclientcert, 1, cert, key)))
        ngx.say(told(sock:setclientcert(cert, key)))
        ngx.say(told(sock:sslhandshake(nil, "api.test", true)))
        ngx.say(told(sock:setclientcert(cert, assert(ssl.parse_pem_priv_key(slurp("client.test.key"))))))
        ngx.say(told(sock:sslhandshake(nil, "api.test", true)))
        ngx.say((ask(sock)))
    } }
--- response_body
true
nil|client certificate must be supplied with corresponding private key
nil|client certificate must be supplied with corresponding private key
nil|bad cert arg: cdata expected, got string
nil|bad pkey arg: cdata expected, got number
nil|bad cert arg: cdata expected, got userdata
nil|bad pkey arg: cdata expected, got userdata
false|bad argument #1 to '?' (table expected, got number)
true
nil|ssl set client private key failed
true
a session
sni=api.test TLSv1.2 reused=. client=CN=client.test
--- no_error_log
[error]
[alert]



=== TEST 19: lua_ssl_certificate is shown; setclientcert is stronger
--- http_config
    lua_ssl_certificate $TEST_NGINX_TLS/client.test.chain;
    lua_ssl_certificate_key $TEST_NGINX_TLS/client.test.key;
--- config
    location = /t { content_by_lua_block {
        ngx.say((talk("asks", nil, "api.test", true)))
        local ssl = require "ngx.ssl"
        local sock = dial("asks")
        sock:setclientcert(ssl.parse_pem_cert(slurp("other.test.chain")), ssl.parse_pem_priv_key(slurp("other.test.key")))
        sock:sslhandshake(nil, "api.test", true)
        ngx.say((ask(sock)))
    } }
--- response_body
sni=api.test TLSv1.2 reused=. client=CN=client.test
sni=api.test TLSv1.2 reused=. client=CN=other.test
--- no_error_log
[error]



=== TEST 20: lua_ssl_ciphers and lua_ssl_conf_command
--- config
    location = /t {
        lua_ssl_ciphers ECDHE-RSA-AES256-GCM-SHA384;
        content_by_lua_block {
            local sock = dial("tls12")
            sock:sslhandshake(nil, "api.test", true)
            ngx.say((ask(sock, "/cipher")))
            local res = ngx.location.capture("/tls13")
            ngx.print(res.body)
        }
    }
    location = /tls13 {
        lua_ssl_protocols TLSv1.3;
        lua_ssl_conf_command Ciphersuites TLS_CHACHA20_POLY1305_SHA256;
        content_by_lua_block {
            local sock = dial("tls13")
            sock:sslhandshake(nil, "api.test", true)
            ngx.say((ask(sock, "/cipher")))
        }
    }
--- response_body
ECDHE-RSA-AES256-GCM-SHA384
TLS_CHACHA20_POLY1305_SHA256
--- no_error_log
[error]



=== TEST 21: a list of revoked certificates
--- config
    lua_ssl_crl $TEST_NGINX_TLS/revoked.crl;
    location = /t { content_by_lua_block {
        ngx.say(told(talk("revoked", nil, "revoked.test", true)))
        ngx.say((talk("tls12", nil, "api.test", true)))
    } }
--- response_body
nil|23: certificate revoked
sni=api.test TLSv1.2 reused=. client=
--- error_log
lua ssl certificate verify error: (23: certificate revoked)



=== TEST 22: how long a chain may be
--- config
    location = /t {
        content_by_lua_block {
            ngx.say(told(talk("deep", nil, "deep.test", true)))
            ngx.print(ngx.location.capture("/deeper").body)
        }
    }
    location = /deeper {
        lua_ssl_verify_depth 2;
        content_by_lua_block { ngx.say((talk("deep", nil, "deep.test", true))) }
    }
--- response_body eval
qr/\Anil\|(?:22: certificate chain too long|20: unable to get local issuer certificate)\nsni=deep\.test TLSv1\.2 reused=\. client=\n\z/
--- error_log
lua ssl certificate verify error: (2



=== TEST 23: what servers have agreed on is in the file of lua_ssl_key_log
--- config
    location = /t {
        lua_ssl_key_log html/keys.log;
        content_by_lua_block {
            assert(talk("tls12", nil, "api.test", true))
            local file = assert(io.open(ngx.config.prefix() .. "html/keys.log"))
            ngx.say(file:read("*l"):match("^CLIENT_RANDOM %x+ %x+$") and "a secret")
            file:close()
        }
    }
--- response_body
a secret
--- no_error_log
[error]



=== TEST 24: lua_socket_log_errors off
--- config
    lua_socket_log_errors off;
    location = /t { content_by_lua_block {
        ngx.say(told(talk("tls12", nil, "www.test", true)))
        ngx.say(told(talk("self", nil, "self.test", true)))
    } }
--- response_body eval
qr/\Anil\|certificate host mismatch\nnil\|18: self[- ]signed certificate\n\z/
--- no_error_log
[error]



=== TEST 25: a server that says nothing
--- config
    location = /t { content_by_lua_block {
        local sock = dial("silent")
        sock:settimeouts(20, 60000, 60000)
        ngx.say(told(sock:sslhandshake(nil, "api.test", true)))
        ngx.say(told(sock:send("x")))
        ngx.say(told(sock:connect("127.0.0.1", ports.tls12)))
        sock:settimeout(5000)
        ngx.say(told(sock:sslhandshake(nil, "api.test", true)))
    } }
--- response_body
nil|timeout
nil|closed
1
a session



=== TEST 26: a server without TLS
--- config
    location = /t { content_by_lua_block {
        local sock = ngx.socket.tcp()
        sock:connect("127.0.0.1", $TEST_NGINX_SERVER_PORT)
        ngx.say(told(sock:sslhandshake(nil, "api.test", true)))
        ngx.say(told(sock:send("x")))
    } }
--- response_body
nil|handshake failed
nil|closed
--- error_log eval
qr/\[error\] .*? SSL_do_handshake\(\) failed \(SSL: .*wrong version number/



=== TEST 27: while hands are shaken the cosocket is busy
--- config
    location = /t { content_by_lua_block {
        local sock = dial("silent")
        local thread = ngx.thread.spawn(function() return told(sock:sslhandshake()) end)
        ngx.say(told(sock:sslhandshake()))
        ngx.say(told(sock:connect("127.0.0.1", ports.tls12)))
        ngx.say(told(sock:receive()))
        ngx.say(told(sock:send("x")))
        ngx.say(told(sock:close()))
        ngx.thread.kill(thread)
        ngx.say(told(sock:send("x")))
        ngx.say(told(sock:connect("127.0.0.1", ports.tls12)))
        ngx.say(told(sock:sslhandshake(nil, "api.test", true)))
    } }
--- response_body eval
qr/\Anil\|socket busy connecting\nnil\|socket busy connecting\nnil\|socket busy connecting(?:\|nil)?\nnil\|socket busy connecting\nnil\|socket busy connecting\nnil\|closed\n1\na session\n\z/
--- no_error_log
[alert]
[crit]



=== TEST 28: nobody may read meanwhile
--- config
    location = /t { content_by_lua_block {
        local sock = dial("silent")
        local thread = ngx.thread.spawn(function() return sock:receive() end)
        ngx.say(told(sock:sslhandshake()))
        ngx.thread.kill(thread)
    } }
--- response_body
nil|socket busy reading
--- no_error_log
[alert]



=== TEST 29: a request that ends in the middle of a handshake takes it with it
--- config
    location = /t { content_by_lua_block {
        for _ = 1, 5 do
            local sock = dial("silent")
            ngx.thread.spawn(function() return sock:sslhandshake() end)
        end
        ngx.say("done")
        ngx.exit(200)
    } }
--- request eval
["GET /t", "GET /t", "GET /t"]
--- response_body eval
["done\n", "done\n", "done\n"]
--- no_error_log
[error]
[alert]



=== TEST 30: much in both directions, in small steps
--- config
    lua_ssl_protocols TLSv1.2 TLSv1.3;
    lua_socket_buffer_size 100;
    location = /t { content_by_lua_block {
        local parts = {}
        for i = 1, 100000 do parts[i] = ("%08d"):format(i) end
        local data = table.concat(parts)
        for _, server in ipairs { "tls12", "tls13" } do
            local sock = dial(server)
            assert(sock:sslhandshake(nil, "api.test", true))
            local head = "POST /big HTTP/1.0\r\nHost: api.test\r\nContent-Length: " .. #data .. "\r\n\r\n"
            ngx.say(assert(sock:send { head, data }) == #head + #data)
            local till = sock:receiveuntil("\r\n\r\n")
            assert(till())
            local first = assert(sock:receive(400000))
            local rest = assert(sock:receive("*a"))
            ngx.say(first .. rest == data)
        end
    } }
--- response_body
true
true
true
true
--- no_error_log
[error]



=== TEST 31: one reads while another one writes
--- config
    location = /t { content_by_lua_block {
        local data = ("xyz"):rep(4000000)
        local sock = dial("tls12")
        assert(sock:sslhandshake(nil, "api.test", true))
        local reader = ngx.thread.spawn(function() return sock:receive("*a") end)
        assert(sock:send { "POST /big HTTP/1.0\r\nHost: api.test\r\nContent-Length: ", #data, "\r\n\r\n" })
        ngx.say(assert(sock:send(data)) == #data)
        local _, text = ngx.thread.wait(reader)
        ngx.say(text:match("\r\n\r\n(.*)") == data)
    } }
--- response_body
true
true
--- no_error_log
[error]



=== TEST 32: a UNIX socket
--- http_config
    server {
        listen unix:$TEST_NGINX_SERVER_ROOT/html/tls.sock ssl;
        ssl_certificate $TEST_NGINX_TLS/api.test.chain;
        ssl_certificate_key $TEST_NGINX_TLS/api.test.key;
        location / { return 200 "by a path"; }
    }
--- config
    location = /t { content_by_lua_block {
        local sock = ngx.socket.tcp()
        assert(sock:connect("unix:$TEST_NGINX_SERVER_ROOT/html/tls.sock"))
        ngx.say(told(sock:sslhandshake(nil, "api.test", true)))
        ngx.say((ask(sock)))
    } }
--- response_body
a session
by a path
--- no_error_log
[error]



=== TEST 33: in other phases
--- config
    location = /t {
        rewrite_by_lua_block { ngx.ctx.rewrite = talk("tls12", nil, "api.test", true) }
        access_by_lua_block { ngx.ctx.access = talk("tls12", nil, "other.test", true) }
        content_by_lua_block { ngx.say(ngx.ctx.rewrite, "\n", ngx.ctx.access) }
        log_by_lua_block {
            ngx.log(ngx.WARN, told(pcall(ngx.socket.tcp)))
        }
    }
--- response_body
sni=api.test TLSv1.2 reused=. client=
sni=other.test TLSv1.2 reused=. client=
--- error_log
false|API disabled in the context of log_by_lua*



=== TEST 34: in a timer
--- config
    location = /t { content_by_lua_block {
        local body
        ngx.timer.at(0, function() body = talk("tls12", nil, "api.test", true) end)
        while not body do ngx.sleep(0.005) end
        ngx.say(body)
    } }
--- response_body
sni=api.test TLSv1.2 reused=. client=
--- no_error_log
[error]



=== TEST 35: while a client of the server's own shakes hands
--- http_config
    server {
        listen unix:$TEST_NGINX_SERVER_ROOT/html/hook.sock ssl;
        ssl_certificate $TEST_NGINX_TLS/api.test.chain;
        ssl_certificate_key $TEST_NGINX_TLS/api.test.key;
        ssl_certificate_by_lua_block { asked = talk("tls12", nil, "api.test", true) }
        location / { content_by_lua_block { ngx.print(asked) } }
    }
--- config
    location = /t { content_by_lua_block {
        local sock = ngx.socket.tcp()
        assert(sock:connect("unix:$TEST_NGINX_SERVER_ROOT/html/hook.sock"))
        ngx.say(told(sock:sslhandshake(nil, "api.test", true)))
        ngx.say((ask(sock)))
    } }
--- response_body
a session
sni=api.test TLSv1.2 reused=. client=
--- no_error_log
[error]



=== TEST 36: the server is asked for what its certificate's responder says
--- http_config
    server {
        listen unix:$TEST_NGINX_SERVER_ROOT/html/staple.sock ssl;
        ssl_certificate $TEST_NGINX_TLS/api.test.chain;
        ssl_certificate_key $TEST_NGINX_TLS/api.test.key;
        ssl_certificate_by_lua_block { staple = told(require("ngx.ocsp").set_ocsp_status_resp("some DER")) }
        location / { content_by_lua_block { ngx.print(staple) } }
    }
--- config
    location = /t { content_by_lua_block {
        for _, asks in ipairs { false, true } do
            local sock = ngx.socket.tcp()
            assert(sock:connect("unix:$TEST_NGINX_SERVER_ROOT/html/staple.sock"))
            ngx.say(told(sock:sslhandshake(nil, "api.test", true, asks)))
            ngx.say((ask(sock)))
        end
    } }
--- response_body
a session
true|no status req
a session
true
--- no_error_log
[error]



=== TEST 37: TLS begins in the middle; what came before is not taken for something that came through it
--- config
    location = /t { content_by_lua_block {
        local sock = dial("later")
        ngx.say(sock:receive())
        ngx.say(told(sock:sslhandshake(nil, "api.test", true)))
        ngx.say(sock:receive())
        sock:send("from here\n")
        ngx.say(sock:receive())
    } }
--- response_body
first
a session
through TLS
heard from here
--- no_error_log
[error]



=== TEST 38: a connection that comes out of a pool has shaken hands already
--- config
    lua_ssl_protocols TLSv1.2 TLSv1.3;
    location = /t { content_by_lua_block {
        -- The head and the body of a response on a connection that stays.
        local function request(sock)
            assert(sock:send("GET /connection HTTP/1.1\r\nHost: api.test\r\n\r\n"))
            local head = assert(sock:receiveuntil("\r\n\r\n")())
            return assert(sock:receive(tonumber(head:match("Content%-Length: (%d+)"))))
        end
        for _, server in ipairs { "tls12", "tls13" } do
            local sock = dial(server)
            assert(sock:sslhandshake(nil, "api.test", true))
            local connection = request(sock):match("^%d+")
            ngx.say(told(sock:setkeepalive()))
            sock = dial(server)
            ngx.say(sock:getreusedtimes())
            ngx.say(told(sock:sslhandshake(false, "www.test", true)))
            ngx.say(told(sock:sslhandshake(nil, "api.test", true)))
            ngx.say(request(sock) == connection .. " 2")
            sock:close()
        end
    } }
--- response_body
1
1
true
a session
true
1
1
true
a session
true
--- no_error_log
[error]
