# Kinds of connections whose handshake Lua has a part in: HTTP/2, early data, PROXY protocol, keepalive.
use strict;
use warnings;
use lib 't/lib';

use IO::Socket::INET;
use IO::Socket::SSL;
use Test::More;

use HotLua::Tls;

# What was a parameter of `listen` is a directive since nginx 1.25.1.
my ($minor) = `@{[$ENV{TEST_NGINX_BINARY} || 'nginx']} -v 2>&1` =~ m{/1\.(\d+)} or die 'no nginx';
my ($parameter, $http2) = $minor > 24 ? ('', 'http2 on;') : ('http2', '');

my $tls = HotLua::Tls->new(
    servers => [
        'early.test' => <<"CONF",
            listen 127.0.0.1:%PORT2% ssl proxy_protocol;
            listen 127.0.0.1:%PORT3% ssl $parameter;
            $http2
            ssl_early_data on;
            ssl_client_hello_by_lua_block { ngx.sleep(0.002) ngx.ctx.seen = "hello" }
            ssl_certificate_by_lua_block {
                ngx.sleep(0.002)
                ngx.ctx.seen = ngx.ctx.seen .. " certificate"
                ngx.ctx.port = require("ngx.ssl").server_port()
                ngx.ctx.client = table.concat({ require("ngx.ssl").raw_client_addr():byte(1, 4) }, ".")
            }
            location = / { content_by_lua_block {
                local early = ngx.var.ssl_early_data or ""
                ngx.print(ngx.ctx.seen, " ", early == "" and "late" or early, " ", ngx.var.server_protocol)
            } }
            location = /port { content_by_lua_block { ngx.print(ngx.ctx.port, " ", ngx.ctx.client) } }
CONF
    ],
);
my ($port, $proxied, $second) = @{$tls}{qw(port port2 port3)};

is `curl -sk --http1.1 --resolve early.test:$port:127.0.0.1 https://early.test:$port/`, 'hello certificate late HTTP/1.1', 'HTTP/1.1';
is `curl -sk --http2 --resolve early.test:$second:127.0.0.1 https://early.test:$second/ https://early.test:$second/`,
    'hello certificate late HTTP/2.0' x 2, 'HTTP/2';

# Early data: what a client sends with its first message when it resumes a session.
{
    my $root = $tls->nginx->{root};
    my $client = "openssl s_client -connect 127.0.0.1:$port -servername early.test -tls1_3 -quiet -no_ign_eof";
    open my $request, '>', "$root/request" or die "request: $!";
    print $request "GET / HTTP/1.0\r\nHost: early.test\r\n\r\n";
    close $request;
    my $first = `openssl s_client -connect 127.0.0.1:$port -servername early.test -tls1_3 -ign_eof -sess_out $root/session <$root/request 2>/dev/null`;
    like $first, qr/hello certificate late/, 'a session';
    my $second = `openssl s_client -connect 127.0.0.1:$port -servername early.test -tls1_3 -ign_eof -sess_in $root/session -early_data $root/request </dev/null 2>/dev/null`;
    like $second, qr/Early data was accepted/, 'is resumed with early data, after Lua that waits';
    # By the time that the variable is read the handshake may be over.
    like $second, qr/hello (?:1|late) HTTP\/1\.0/, 'which is answered';
}

# The address that a proxy tells is not yet known to the handshake's first message, nor asked for.
{
    my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $proxied) or die "connect: $!";
    syswrite $socket, "PROXY TCP4 192.0.2.1 192.0.2.2 1111 2222\r\n";
    IO::Socket::SSL->start_SSL($socket, SSL_hostname => 'early.test', SSL_verify_mode => SSL_VERIFY_NONE) or die $SSL_ERROR;
    print $socket "GET /port HTTP/1.0\r\nHost: early.test\r\n\r\n";
    like do { local $/; <$socket> }, qr/\r\n\r\n$proxied 127\.0\.0\.1\z/, 'behind a proxy the addresses are those of the connection';
}

unlike $tls->nginx->error_log, qr/\[(?:alert|crit|emerg)\]/, 'nothing bad was logged';

done_testing;
