# ngx.flush(true): waits until the client has taken what was output. And output that goes on while Lua waits.
use strict;
use warnings;
use lib 't/lib';

use IO::Socket::INET;
use Socket qw(SOL_SOCKET SO_RCVBUF SOMAXCONN);
use Test::More;

use HotLua::Nginx;

# More than the buffers of both sockets hold.
my $MUCH = 8_000_000;

my $nginx = HotLua::Nginx->new(
    workers => 1,
    server => <<"CONF",
        send_timeout 60s;
        location /much {
            content_by_lua_block {
                ngx.print(("x"):rep($MUCH))
                local done, err = ngx.flush(true)
                ngx.log(ngx.WARN, ngx.var.uri, " flushed: ", done, " ", err)
                ngx.print("the end")
            }
        }
        location /twice {
            content_by_lua_block {
                for i = 1, 2 do
                    ngx.print(("x"):rep($MUCH / 2))
                    local done, err = ngx.flush(true)
                    ngx.log(ngx.WARN, ngx.var.uri, " flushed: ", done, " ", err)
                end
            }
        }
        location = /impatient {
            send_timeout 300ms;
            content_by_lua_block {
                ngx.print(("x"):rep($MUCH))
                local done, err = ngx.flush(true)
                local again, same = ngx.flush(true)
                ngx.log(ngx.WARN, "flushed: ", done, " ", err, ", ", again, " ", same)
                ngx.exit(ngx.ERROR)
            }
        }
        location = /sleeps {
            content_by_lua_block {
                ngx.print(("x"):rep($MUCH))
                ngx.flush()
                while not io.open("%ROOT%/marks/go") do ngx.sleep(0.01) end
                ngx.print("the end")
            }
        }
        location = /slowed {
            limit_rate 1m;
            content_by_lua_block {
                for i = 1, 3 do
                    ngx.print(("x"):rep(100000))
                    assert(ngx.flush(true))
                end
                ngx.print("the end")
            }
        }
        location = /zipped {
            gzip on;
            gzip_types *;
            content_by_lua_block {
                ngx.say("first")
                local done, err = ngx.flush(true)
                ngx.say(done, " ", err)
                ngx.flush(true)
                ngx.say("last")
            }
        }
        location = /quick { content_by_lua_block { ngx.say("quick") ngx.flush(true) ngx.say(ngx.flush(true)) } }
CONF
);

# Sends a request over a socket that takes little.
sub begin {
    my ($path) = @_;
    my $socket = IO::Socket::INET->new(Proto => 'tcp') or die "socket: $!";
    setsockopt $socket, SOL_SOCKET, SO_RCVBUF, pack 'i', 8192 or die "setsockopt: $!";
    $socket->connect(Socket::pack_sockaddr_in($nginx->{port}, Socket::inet_aton('127.0.0.1'))) or die "connect: $!";
    print $socket "GET $path HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n";
    $socket->flush;
    return $socket;
}

# Reads all that is answered.
sub answer {
    my ($socket) = @_;
    local $SIG{ALRM} = sub { die "no answer\n" };
    alarm 20;
    my $answer = do { local $/; <$socket> } // '';
    alarm 0;
    return $answer;
}

sub flushes { my ($path) = @_; return [ $nginx->error_log =~ m{\Q$path\E flushed: (.*?),} ] }

subtest 'it returns when the client has taken everything, and others are served meanwhile' => sub {
    my $slow = begin('/much/slow');
    is $nginx->get('/quick'), "quick\n1\n", 'another request is answered';
    is_deeply flushes('/much/slow'), [], 'it still waits';
    my $answer = answer($slow);
    like $answer, qr/the end/, 'what comes after is output too';
    cmp_ok length $answer, '>', $MUCH, 'nothing is missing';
    is_deeply flushes('/much/slow'), ['1 nil'], 'it was told that all went out';
};

subtest 'it can be called again' => sub {
    cmp_ok length answer(begin('/twice/')), '>', $MUCH, 'nothing is missing';
    my @flushes = $nginx->error_log =~ m{/twice/ flushed: (.*?),}g;
    is_deeply \@flushes, ['1 nil', '1 nil'], 'both went out';
};

subtest 'a client that takes nothing for send_timeout' => sub {
    my $slow = begin('/impatient');
    $nginx->wait_for('the end of the wait', sub { $nginx->error_log =~ /flushed: nil timeout, nil timeout/ });
    like $nginx->error_log, qr/\[info\].*client timed out \(\d+: /, 'and the log says so';
    is $nginx->get('/quick'), "quick\n1\n", 'others are served';
};

subtest 'a client that goes away' => sub {
    my $slow = begin('/much/gone');
    $nginx->get('/quick');
    $slow->close;
    $nginx->wait_for('the end of the wait', sub { flushes('/much/gone')->[0] });
    is_deeply flushes('/much/gone'), ['nil client aborted'], 'is told of';
};

subtest 'what was output goes on while Lua waits for something else' => sub {
    my $slow = begin('/sleeps');
    my $got = 0;
    while ($got < $MUCH) {
        my $read = sysread $slow, my $piece, 65536;
        last if !$read;
        $got += $read;
    }
    cmp_ok $got, '>=', $MUCH, 'all of it arrives while it sleeps';
    $nginx->write('marks/go', '');
    like answer($slow), qr/the end/, 'and it goes on';
};

subtest 'limit_rate, gzip and HTTP/1.0' => sub {
    like answer(begin('/slowed')), qr/the end/, 'limit_rate';
    my $zipped = $nginx->request('/zipped', headers => { 'Accept-Encoding' => 'gzip' });
    is $zipped->{headers}{'content-encoding'}, 'gzip', 'gzip';
    require IO::Uncompress::Gunzip;
    my $text;
    IO::Uncompress::Gunzip::gunzip(\$zipped->{content}, \$text);
    is $text, "first\n1 nil\nlast\n", 'is flushed and complete';
    like $nginx->finish($nginx->begin('/quick')), qr/^quick\nnilbuffering$/, 'HTTP/1.0 gathers';
};

unlike $nginx->error_log, qr/\[(?:error|alert|emerg|crit)\]/, 'nothing alarming in the log';
done_testing;
