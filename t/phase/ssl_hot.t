# Handshakes and hot loading: a handshake goes on with the code that it began with, however long it waits; and what comes
# of a handshake whose client or time is gone.
use strict;
use warnings;
use lib 't/lib';

use IO::Socket::INET;
use IO::Socket::SSL;
use POSIX ();
use Test::More;

use HotLua::Tls;

sub version { return "return { version = $_[0] }" }

my $WAIT = <<'LUA';
    note("hello", require("app").version)
    repeat ngx.sleep(0.001) until gates.open
    note("waited", require("app").version)
LUA

my $tls = HotLua::Tls->new(
    http => 'lua_package_path "%ROOT%/lua/?.lua;;"; hotlua_root %ROOT%/lua;',
    init => 'gates, ended = {}, 0',
    main => 'location = /open { content_by_lua_block { gates.open = true } }
             location = /shut { content_by_lua_block { gates.open = nil } }
             location = /ended { content_by_lua_block { collectgarbage() collectgarbage() ngx.print(ended) } }',
    servers => [
        'hot.test' => <<"CONF" . 'location = / { content_by_lua_block { ngx.print(require("app").version) } }',
            ssl_client_hello_by_lua_block {
                if require("ngx.ssl.clienthello").get_client_hello_server_name() == "hot.test" then $WAIT end
            }
            ssl_certificate_by_lua_file %ROOT%/lua/certificate.lua;
CONF
        'kept.test' => <<'CONF',
            ssl_certificate_by_lua_block { ngx.ctx.kept = "kept" }
            location = / { content_by_lua_block { ngx.say(ngx.ctx.kept, " version ", require("app").version) } }
CONF
        'gone.test' => <<'CONF',
            ssl_certificate_by_lua_block {
                local witness = newproxy(true)
                getmetatable(witness).__gc = function() ended = ended + 1 end
                note("waits")
                while true do ngx.sleep(3600) end
                note(witness)
            }
CONF
    ],
    files => {
        'lua/app.lua' => version(1),
        'lua/certificate.lua' => 'note("certificate", require("app").version, "file 1")',
    },
);
my $nginx = $tls->nginx;

# Begins a handshake without waiting for its end: a process that tells what came of it.
sub begin_shake {
    my ($name) = @_;
    my $pid = open my $from, '-|' // die "fork: $!";
    if (!$pid) {
        my $seen = $tls->shake(name => $name);
        print $seen->{body} // "error $seen->{error}";
        close STDOUT;
        POSIX::_exit(0);
    }
    return $from;
}

is $nginx->get('/open'), '', 'open';
is $tls->shake(name => 'hot.test')->{body}, 1, 'version 1';
is $tls->notes, "hello 1\nwaited 1\ncertificate 1 file 1", 'in all hooks';

$nginx->get('/shut');
my $old = begin_shake('hot.test');
my $seen = '';
$nginx->wait_for('a handshake that waits', sub { ($seen .= $tls->notes) =~ /hello 1/ });
$nginx->write('lua/app.lua', version(2));
$nginx->write('lua/certificate.lua', 'note("certificate", require("app").version, "file 2")');
is +($nginx->publish)[0], 200, 'a change while a handshake waits';
my $new = begin_shake('hot.test');
$seen = '';
$nginx->wait_for('a second one', sub { ($seen .= $tls->notes) =~ /hello 2/ });
is_deeply $nginx->status->{workers}[0]{pinned}, { 1 => 1 }, 'the first one keeps its generation';
$nginx->get('/open');
is do { local $/; <$old> }, 2, 'a request begins with the newest code, whenever its connection came';
is do { local $/; <$new> }, 2, 'as does that of a new connection';
is join("\n", sort split /\n/, $tls->notes), "certificate 1 file 1\ncertificate 2 file 2\nwaited 1\nwaited 2", 'each handshake has its own version to its end';
ok $nginx->wait_for('the end of the old generation', sub { !%{ $nginx->status->{workers}[0]{pinned} } }), 'which then goes';

# A connection that stays keeps the ngx.ctx of its handshake, but no generation.
{
    my $socket = $tls->dial('kept.test') or die 'no handshake';
    my $ask = sub {
        print $socket "GET / HTTP/1.1\r\nHost: kept.test\r\n\r\n";
        my $answer = '';
        while ($answer !~ /\r\n0\r\n\r\n\z/) { sysread $socket, $answer, 4096, length $answer or last }
        return $answer =~ /(\w+ version \d+)/ ? $1 : $answer;
    };
    is $ask->(), 'kept version 2', 'a connection';
    $nginx->write('lua/app.lua', version(3));
    is +($nginx->publish)[0], 200, 'a change while it is idle';
    ok $nginx->wait_for('no older generation', sub { !%{ $nginx->status->{workers}[0]{pinned} } }), 'it holds no code';
    is $ask->(), 'kept version 3', 'its next request runs the newest, with the same ngx.ctx';
}

# A client that goes while Lua waits.
{
    my $before = $nginx->get('/ended');
    my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $tls->{port}) or die "connect: $!";
    my $pid = fork // die "fork: $!";
    if (!$pid) {
        IO::Socket::SSL->start_SSL($socket, SSL_hostname => 'gone.test', SSL_verify_mode => SSL_VERIFY_NONE);
        POSIX::_exit(0);
    }
    $seen = '';
    $nginx->wait_for('its Lua', sub { ($seen .= $tls->notes) =~ /waits/ });
    kill KILL => $pid;
    waitpid $pid, 0;
    shutdown $socket, 2;
    $nginx->wait_for('its end', sub { $nginx->get('/ended') > $before });
    like $nginx->error_log, qr/peer closed connection in SSL handshake while SSL handshaking/, 'a client that goes ends its Lua';
}
# One that stays longer than it may.
{
    my $hasty = HotLua::Tls->new(servers => [
        'hasty.test' => 'client_header_timeout 50ms; ssl_client_hello_by_lua_block { ngx.sleep(3600) }',
    ]);
    my $seen = $hasty->shake(name => 'hasty.test');
    like $seen->{error}, qr/./, 'client_header_timeout ends a handshake that waits';
    like $hasty->nginx->error_log, qr/client timed out \(110: [^)]+\) while SSL handshaking/, 'as it does any other';
}
is $tls->shake(name => 'hot.test')->{body}, 3, 'others go on';
unlike $nginx->error_log, qr/\[(?:alert|crit|emerg)\]/, 'nothing bad was logged';

done_testing;
