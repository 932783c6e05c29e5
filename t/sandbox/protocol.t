# Answers of scripts as the protocol wants them: HTTP/1.0, HEAD, connections that are kept.
use strict;
use warnings;
use lib 't/lib';

use Test::More;

use HotLua::Nginx;

my $nginx = HotLua::Nginx->new(
    workers => 1,
    http => 'hotlua_sandbox tenants { allow ngx.print ngx.status ngx.header ngx.exit ngx.req.get_method string; instructions 100m; time 10s; }',
    server => 'location ~ ^/run/(\w+)$ { content_by_sandbox_file tenants %ROOT%/scripts/$1.lua; }',
    files => {
        'scripts/text.lua' => 'ngx.header["X-Method"] = ngx.req.get_method() ngx.status = 202 ngx.print("some text")',
        'scripts/silent.lua' => 'ngx.header["X-Method"] = ngx.req.get_method()',
        'scripts/large.lua' => 'for i = 1, 1000 do ngx.print(("x"):rep(1000)) end',
        'scripts/long.lua' => 'for i = 1, 1e6 do end ngx.print("long")',
        'scripts/bad.lua' => 'ngx.print("half") error("on purpose")',
        'scripts/moved.lua' => 'ngx.status = 302 ngx.header.Location = "/elsewhere"',
        'scripts/empty.lua' => 'ngx.status = 204 ngx.exit(204)',
        'scripts/unchanged.lua' => 'ngx.status = 304 ngx.print("x")',
    },
);

# Sends text; answers each as [status line, {header}, body as it stands], until the server closes.
sub answers {
    my ($text, @methods) = @_;
    my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $nginx->{port}) or die "connect: $@";
    syswrite $socket, $text;
    local $SIG{ALRM} = sub { die "no answer\n" };
    alarm 10;
    my $data = do { local $/; <$socket> };
    alarm 0;
    my @answers;
    for my $method (@methods) {
        $data =~ s/\A(HTTP\S+ \d+)[^\r]*\r\n(.*?)\r\n\r\n//s or last;
        my ($line, $head) = ($1, $2);
        my %header = map { my ($name, $value) = /^([^:]+): ?(.*)$/; (lc $name => $value) } split /\r\n/, $head;
        my $body = '';
        if ($method eq 'HEAD') {
            # nothing
        } elsif (defined $header{'content-length'}) {
            $body = substr $data, 0, $header{'content-length'}, '';
        } elsif (($header{'transfer-encoding'} // '') eq 'chunked') {
            while ($data =~ s/\A([0-9a-f]+)\r\n//) {
                my $length = hex $1;
                $body .= substr $data, 0, $length, '';
                $data =~ s/\A\r\n//;
                last if !$length;
            }
        } elsif ($line !~ / (?:204|304)$/) {
            ($body, $data) = ($data, '');
        }
        push @answers, [$line, \%header, $body];
    }
    is $data, '', 'nothing else is sent';
    return @answers;
}

subtest 'HTTP/1.0' => sub {
    my ($text) = answers("GET /run/text HTTP/1.0\r\n\r\n", 'GET');
    is $text->[0], 'HTTP/1.1 202', 'status';
    is $text->[2], 'some text', 'body';
    is $text->[1]{'transfer-encoding'}, undef, 'not in chunks';
    my ($large) = answers("GET /run/large HTTP/1.0\r\n\r\n", 'GET');
    is $large->[2], 'x' x 1_000_000, 'a large body';
    my ($long) = answers("GET /run/long HTTP/1.0\r\n\r\n", 'GET');
    is $long->[2], 'long', 'one that was paused';
    my ($bad) = answers("GET /run/bad HTTP/1.0\r\n\r\n", 'GET');
    is $bad->[0], 'HTTP/1.1 500', 'an error';
    unlike $bad->[2], qr/half/, 'with nothing of what was said';
};

subtest 'HEAD' => sub {
    my $close = "HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    my ($text) = answers("HEAD /run/text $close", 'HEAD');
    is $text->[0], 'HTTP/1.1 202', 'status';
    is $text->[1]{'x-method'}, 'HEAD', 'the script knows';
    my ($silent) = answers("HEAD /run/silent $close", 'HEAD');
    is_deeply [$silent->[0], $silent->[1]{'x-method'}], ['HTTP/1.1 200', 'HEAD'], 'of a script that says nothing';
    my ($large) = answers("HEAD /run/large $close", 'HEAD');
    is $large->[0], 'HTTP/1.1 200', 'of a large body';
    my ($long) = answers("HEAD /run/long $close", 'HEAD');
    is $long->[0], 'HTTP/1.1 200', 'of one that was paused';
    my ($bad) = answers("HEAD /run/bad $close", 'HEAD');
    is $bad->[0], 'HTTP/1.1 500', 'an error';
};

subtest 'a connection that is kept, requests in a row' => sub {
    my @paths = (qw(text long HEAD:text silent HEAD:long moved empty unchanged large text));
    my (@methods, $sent);
    for my $at (0 .. $#paths) {
        my ($method, $path) = $paths[$at] =~ /^(?:(HEAD):)?(.*)/;
        push @methods, $method // 'GET';
        $sent .= "$methods[-1] /run/$path HTTP/1.1\r\nHost: x\r\n" . ($at == $#paths ? "Connection: close\r\n" : '') . "\r\n";
    }
    my @got = answers($sent, @methods);
    is join(' ', map { $_->[0] =~ / (\d+)/ } @got), '202 200 202 200 200 302 204 304 200 202', 'each is answered';
    is $got[1][2], 'long', 'body of a paused one';
    is length $got[8][2], 1_000_000, 'a large body';
    is $got[9][2], 'some text', 'the last';
    is $got[5][1]{location}, '/elsewhere', 'a redirection';
};

subtest 'a body that the script does not read' => sub {
    my $body = 'x' x 100_000;
    my @got = answers(
        "POST /run/text HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n$body"
            . "POST /run/long HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nGET /\r\n0\r\n\r\n"
            . "GET /run/text HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        qw(POST POST GET),
    );
    is join(' ', map { $_->[2] } @got), 'some text long some text', 'is not the next request';
    is $got[0][1]{'x-method'}, 'POST', 'the method';
};

$nginx->stop;
is_deeply [grep { /^\S+ \S+ \[(?:alert|emerg|crit)\]/ } split /\n/, $nginx->error_log], [], 'nothing alarming in the log';
done_testing;
