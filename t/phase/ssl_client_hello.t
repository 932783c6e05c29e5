# ssl_client_hello_by_lua*: Lua that sees the client's first message before anything is decided, and may wait.
use strict;
use warnings;
use lib 't/lib';

use IO::Socket::INET;
use Test::More;

use HotLua::Tls;

my $HELLO = <<'LUA';
    local hello, ssl = require "ngx.ssl.clienthello", require "ngx.ssl"
    local name, message = hello.get_client_hello_server_name()
    note(ngx.get_phase(), name or "nobody", message, ssl.server_name())
    ngx.ctx.name = name
    if name == "waits.test" then ngx.sleep(0.01) note("slept", hello.get_client_hello_server_name()) end
    if name == "error.test" then ngx.exit(ngx.ERROR) end
    if name == "late-error.test" then ngx.sleep(0.01) ngx.exit(ngx.ERROR) end
    if name == "raises.test" then error("refused on purpose") end
    if name == "old.test" then assert(hello.set_protocols({ "TLSv1.2" })) end
    if name == "new.test" then assert(hello.set_protocols({ "TLSv1.3" })) end
    if name == "none.test" then note(hello.set_protocols({})) end
    if name == "bad.test" then
        note(hello.set_protocols({ "TLSv1.2", "TLSv9" }))
        note(hello.set_protocols({ "TLSv1.2", 3 }))
        note(select(2, pcall(hello.set_protocols, "TLSv1.2")))
        note(select(2, pcall(hello.set_protocols)))
    end
    if name == "extensions.test" then
        note(hello.get_client_hello_ext(0):byte(1, 5))
        note(hello.get_client_hello_ext(9999), hello.get_client_hello_ext(-1), hello.get_client_hello_ext(70000),
            hello.get_client_hello_ext(0 / 0))
        for _, kind in ipairs { "0", {}, true } do note(select(2, pcall(hello.get_client_hello_ext, kind))) end
        note(select(2, pcall(hello.get_client_hello_ext)))
        local versions = hello.get_supported_versions()
        note(versions and table.concat(versions, ","))
    end
LUA

my $tls = HotLua::Tls->new(
    servers => [
        'default.test' => "ssl_client_hello_by_lua_block { $HELLO }\n"
            . 'location = / { content_by_lua_block { ngx.say(ngx.ctx.name) ngx.ctx.name = "mine" ngx.print(ngx.ctx.name) } }
               location = /outside { content_by_lua_block {
                   local hello = require "ngx.ssl.clienthello"
                   for _, name in ipairs { "get_client_hello_server_name", "get_client_hello_ext", "get_supported_versions",
                       "set_protocols" } do ngx.say(select(2, pcall(hello[name]))) end
               } }
               keepalive_timeout 10;',
        'second.test' => 'ssl_client_hello_by_lua_block { note("never") }
            ssl_certificate_by_lua_block { note(ngx.ctx.name) ngx.ctx.name = ngx.ctx.name .. "!" ngx.sleep(0.001) }
            location = / { content_by_lua_block { ngx.print(ngx.ctx.name) } }',
    ],
);

for my $version ('TLSv1_2', 'TLSv1_3') {
    my $shake = sub { $tls->shake(name => $_[0], SSL_version => $version, @_[1 .. $#_]) };
    is $shake->('default.test')->{body}, "default.test\nmine", "$version: a request inherits the handshake's ngx.ctx";
    is $tls->notes, 'ssl_client_hello default.test nil nil', "$version: its name, which nobody else has looked at";
    like $shake->('waits.test')->{body}, qr/^waits\.test/, "$version: it may wait";
    like $tls->notes, qr/\nslept waits\.test$/, "$version: and still see the message";
    like $shake->($_)->{error}, qr/alert/, "$version: $_ fails the handshake"
        for qw(error.test late-error.test raises.test);
    $tls->notes;
    is $shake->('second.test')->{body}, 'second.test!', "$version: only the default server's runs, ngx.ctx goes on";
    is $tls->notes, "ssl_client_hello second.test nil nil\nsecond.test", "$version: through all hooks";
}
like $tls->shake->{body}, qr/^nil/, 'a client that names no server';
is $tls->notes, 'ssl_client_hello nobody nil nil', 'has no name';

for my $case (['old.test', 'TLSv1_2'], ['new.test', 'TLSv1_3'], ['none.test', 'TLSv1_3'], ['default.test', 'TLSv1_3']) {
    is $tls->shake(name => $case->[0])->{version}, $case->[1], "$case->[0]: $case->[1]";
}
like $tls->shake(name => 'old.test', SSL_version => 'TLSv1_3')->{error}, qr/alert protocol version/, 'none but those allowed';
$tls->notes;
$tls->shake(name => 'bad.test');
like $tls->notes, qr/\A.*\nnil invalid protocols failed\nnil invalid protocols failed\n.*table expected, got string.*\n.*table expected, got nil.*\z/,
    'protocols that are none';
$tls->shake(name => 'extensions.test', SSL_version => 'TLSv1_2:!TLSv1_3');
is $tls->notes =~ s/nginx\.conf:\d+/nginx.conf/gr, join("\n", 'ssl_client_hello extensions.test nil nil', '0 18 0 0 15', 'nil nil nil nil',
    "bad argument #1 to '?' (number expected, got string)", "bad argument #1 to '?' (number expected, got table)",
    "bad argument #1 to '?' (number expected, got boolean)", "bad argument #1 to '?' (number expected, got nil)", 'nil'),
    'extensions';
$tls->shake(name => 'extensions.test');
like $tls->notes, qr/\n(?:TLSv1,TLSv1\.1,)?TLSv1\.2,TLSv1\.3$/, 'the versions that a client knows';

is $tls->shake(name => 'default.test', path => '/outside')->{body}, "API disabled in the current context\n" x 4,
    'there is no message but in its hook';

# Two requests of one connection.
{
    my $socket = $tls->dial('default.test');
    my @bodies;
    for (1, 2) {
        print $socket "GET / HTTP/1.1\r\nHost: default.test\r\n\r\n";
        my $answer = '';
        while ($answer !~ /\r\n0\r\n\r\n\z/) { sysread $socket, $answer, 4096, length $answer or last }
        push @bodies, join ' ', $answer =~ /^(\w[\w.]+)\r?$/mg;
    }
    like $_, qr/default\.test/, 'each request has its own copy' for @bodies;
}

# A hello in many small parts, and one that never ends.
{
    my $slow = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $tls->{port});
    syswrite $slow, "\x16\x03\x01\x02\x00\x01";
    is $tls->shake(name => 'waits.test')->{subject}, 'default.test', 'others do not wait for a slow one';
    close $slow;
}
# What is no TLS.
{
    my $plain = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $tls->{port});
    print $plain "GET / HTTP/1.0\r\n\r\n";
    like do { local $/; <$plain> }, qr/The plain HTTP request was sent to HTTPS port/, 'plain HTTP';
}
is $tls->shake(name => 'default.test')->{subject}, 'default.test', 'the worker still serves';
unlike $tls->nginx->error_log, qr/\[(?:alert|crit|emerg)\]/, 'and nothing bad was logged';

done_testing;
