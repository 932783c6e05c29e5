# Paths from requests against a real file system: what lies in the code root runs, nothing else does.
use strict;
use warnings;
use lib 't/lib';

use IO::Socket::INET;
use IO::Socket::UNIX;
use POSIX ();
use Test::More;

use HotLua::Nginx;

my $nginx = HotLua::Nginx->new(
    http => 'hotlua_root %ROOT%/lua; large_client_header_buffers 4 16k;',
    server => <<'CONF',
        location ~ ^/run/(.*)$ { content_by_lua_file %ROOT%/lua/$1; }
        location /arg { content_by_lua_file %ROOT%/lua/$arg_file; }
        location /anywhere { content_by_lua_file $arg_file; }
CONF
    files => {
        'lua/ok.lua' => 'ngx.print("inside")',
        'lua/dir/ok.lua' => 'ngx.print("inside dir")',
        'lua/%2e%2e' => 'ngx.print("a name with percents")',
        'secret.lua' => 'ngx.print("SECRET")',
        'luax/secret.lua' => 'ngx.print("SECRET")',
    },
);
my $lua = "$nginx->{root}/lua";
symlink "$nginx->{root}/secret.lua", "$lua/out.lua" or die;
symlink '../secret.lua', "$lua/relative-out.lua" or die;
symlink $nginx->{root}, "$lua/out-dir" or die;
symlink 'dir/ok.lua', "$lua/in.lua" or die;
symlink 'loop.lua', "$lua/loop.lua" or die;
symlink '/dev/zero', "$lua/zero.lua" or die;
POSIX::mkfifo("$lua/fifo.lua", 0644) or die;
my $socket = IO::Socket::UNIX->new(Listen => 1, Local => "$lua/socket.lua");

# The answer to a request whose line is sent as it is.
sub raw {
    my ($target) = @_;
    my $client = IO::Socket::INET->new(PeerAddr => "127.0.0.1:$nginx->{port}", Timeout => 10) or die;
    print $client "GET $target HTTP/1.0\r\nHost: localhost\r\n\r\n";
    local $/;
    my $answer = <$client> // '';
    my ($status) = $answer =~ m{^HTTP/\S+ (\d+)};
    my ($body) = $answer =~ /\r\n\r\n(.*)/s;
    return ($status // 'nothing', $body // '');
}

for (
    ['/run/ok.lua', 200, 'inside'],
    ['/run/dir/ok.lua', 200, 'inside dir'],
    ['/run/./dir//ok.lua', 200, 'inside dir'],
    ['/run/in.lua', 200, 'inside dir'],
    ['/run/%252e%252e', 200, 'a name with percents'],
    ['/arg?file=ok.lua', 200, 'inside'],
    ['/anywhere?file=' . "$lua/ok.lua", 200, 'inside'],
) {
    my ($target, $status, $body) = @$_;
    is_deeply [raw($target)], [$status, $body], "$target runs";
}

for my $target (
    '/run/out.lua', '/run/relative-out.lua', '/run/out-dir/secret.lua', '/run/loop.lua', '/run/zero.lua', '/run/fifo.lua',
    '/run/socket.lua', '/run/dir', '/run/dir/', '/run/ok.lua/', '/run/', '/run/nothing.lua', '/run/..%2fsecret.lua',
    '/arg?file=../secret.lua', '/arg?file=dir/../../secret.lua', '/arg?file=dir/../ok.lua', '/arg?file=..%2fsecret.lua',
    '/arg?file=%2e%2e/secret.lua', '/arg?file=%252e%252e/secret.lua', '/arg?file=x%00.lua', '/arg?file=../luax/secret.lua',
    "/anywhere?file=$nginx->{root}/secret.lua", "/anywhere?file=$nginx->{root}/luax/secret.lua",
    "/anywhere?file=$lua/../secret.lua", '/anywhere?file=/etc/passwd', '/anywhere?file=/dev/zero', '/anywhere',
    '/run/' . 'a' x 8000, '/run/' . 'a/' x 4000,
) {
    my ($status, $body) = raw($target);
    my $shown = length $target > 60 ? substr($target, 0, 57) . '...' : $target;
    like $status, qr/^40[04]$/, "$shown is refused" or diag "status $status";
    unlike $body, qr/SECRET|root:/, "$shown shows nothing";
}

my $log = $nginx->error_log;
for my $reason (
    qr/out\.lua": .*leav|out\.lua": .*outside/i, qr/fifo\.lua": .*FIFO/, qr/zero\.lua": /, qr/dir": .*directory/,
    qr/nothing\.lua": cannot open \S+: No such file or directory/, qr/outside of every code root/,
) {
    like $log, $reason, "the log says why: $reason";
}
is(() = $log =~ /"GET \/run\/fifo\.lua/g, 1, 'a refusal is one line');
$nginx->stop;
done_testing;
