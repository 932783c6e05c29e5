# Many changes, a quarter of them broken, under clients that never pause: nothing fails, nothing is mixed or goes back.
# HOTLUA_STORM_PUBLISHES (default 60) is how many; HOTLUA_CALL=invalidate makes them by that call instead of publish.
use strict;
use warnings;
use lib 't/lib';

use IO::Socket::INET;
use Test::More;

use HotLua::App;
use HotLua::Clients;

my $publishes = $ENV{HOTLUA_STORM_PUBLISHES} || 60;
my $app = HotLua::App->start;
my $nginx = $app->nginx;
is $nginx->answers("/$_"), '2 2 2 2 2 2 2 2 2 2', "both workers have the first version at /$_" for qw(quick waiting);

my @long = map { long_request($nginx) } 1 .. 10;
my $clients = HotLua::Clients->start(app => $app, kept => 4, short => 2);
my ($version, $broken, $generation) = (2, 0, $nginx->status->{generation});
my @wrong;
for my $number (1 .. $publishes) {
    if ($number % 4 == 0) {
        my ($what, $file, $error) = $app->write_broken($version + 1, $broken++);
        my ($status, $reply) = $app->activate;
        push @wrong, "$number: $what: status $status" if $status != 409;
        push @wrong, "$number: $what: says " . ($reply->{error} // 'nothing') if ($reply->{error} // '') !~ $error;
        push @wrong, "$number: $what: names no file" if !$reply->{file};
        my $now = $nginx->status;
        push @wrong, "$number: $what: the generation became $now->{generation}" if $now->{generation} != $generation;
        push @wrong, "$number: $what: candidate $now->{candidate} is left" if defined $now->{candidate};
        push @wrong, "$number: $what: the status does not tell of it" if !defined $now->{last_error};
        next;
    }
    $version += 2;
    $app->write_version($version);
    my ($status, $reply) = $app->activate;
    if ($status == 200) {
        $clients->published($version);
        push @wrong, "$number: generation $reply->{generation}, not a new one" if $reply->{generation} <= $generation;
        $generation = $reply->{generation};
        my %reloaded = map { $_ => 1 } @{ $reply->{reloaded} };
        push @wrong, "$number: reloaded only @{ $reply->{reloaded} }" if grep { !$reloaded{"app.$_"} } 'a' .. 'e';
    } else {
        push @wrong, "$number: version $version: status $status: " . ($reply->{error} // '');
    }
}
my $seen = $clients->stop;

is_deeply \@wrong, [], "$publishes changes: each good one was accepted, each of the $broken broken ones rejected";
is $seen->{failed}, 0, 'no request failed and no kept connection broke';
is $seen->{mixed}, 0, 'no answer mixed versions';
is $seen->{older}, 0, 'no request got a version older than one known before it was sent';
is $seen->{rejected}, 0, 'no request got a rejected version';
is_deeply $seen->{problems}, [], 'the clients met no problem';
cmp_ok $seen->{versions}, '>', 1, "the clients saw versions change ($seen->{requests} requests)";

$nginx->answers('/finish');
my @cut = grep { !/^(?:2 2 2 2 2\n)+end\n\z/ } map { lines_of($_) } @long;
is_deeply \@cut, [], scalar(@long) . ' requests that lasted from before the first change saw its version to their end';

my $last = join ' ', ($version) x 10;
is $nginx->answers("/$_"), $last, "both workers have the last good version at /$_" for qw(quick waiting);
is $_->{generation}, $generation, "worker $_->{pid} is on the last generation" for @{ $nginx->status->{workers} };
is_deeply [grep { /\[(?:alert|emerg|crit)\]/ } split /\n/, $nginx->error_log], [], 'nothing alarming in the log';
$nginx->stop;
done_testing;

# Begins a request that lasts; it has begun when the first line is there.
sub long_request {
    my ($nginx) = @_;
    my $socket = IO::Socket::INET->new(PeerAddr => "127.0.0.1:$nginx->{port}", Timeout => 10) or die "connect: $!";
    print $socket "GET /long HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    while (my $line = <$socket>) { return [$socket, $line] if $line =~ /^2 / }
    die "no answer to /long";
}

# What it answered, to its end.
sub lines_of {
    my ($socket, $first) = @{ $_[0] };
    local $/;
    # Without the sizes of its chunks.
    return ($first . (<$socket> // '')) =~ s/^(?:[0-9a-f]*\r\n)+//gmr;
}
