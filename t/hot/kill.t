# Workers that are killed while code changes: nothing wedges, nothing is mixed, and the zone gets back what they held.
# HOTLUA_KILL_ROUNDS (default 25) is how many; HOTLUA_KILL_SEED repeats a run's choices,
# HOTLUA_CALL=invalidate makes the changes by that call instead of publish.
use strict;
use warnings;
use lib 't/lib';

use POSIX ();
use Test::More;
use Time::HiRes qw(sleep time);

use HotLua::App;
use HotLua::Clients;

my $rounds = $ENV{HOTLUA_KILL_ROUNDS} || 25;
my $seed = srand($ENV{HOTLUA_KILL_SEED} || int time);
note "HOTLUA_KILL_SEED=$seed";

my $CALLS = 20;    # that may be needed until one is answered by 200
my $SETTLING = 8;    # changes after which the zone holds all earlier generations that it keeps

# Modules large enough that a candidate which stays in the zone shows.
my $app = HotLua::App->start(comment => 20_000);
my $nginx = $app->nginx;
is $nginx->answers("/$_"), '2 2 2 2 2 2 2 2 2 2', "both workers have the first version at /$_" for qw(quick waiting);

my $version = 2;
my %outcomes;

# The next version, asked for until it is there; the problem, or undef. BEGIN is called right before the first call.
sub publish {
    my ($clients, $begin) = @_;
    $version += 2;
    $app->write_version($version);
    $begin->() if $begin;
    for my $call (1 .. $CALLS) {
        my ($status, $reply) = $app->activate;
        my $answer = $status == 200 ? '200' : "$status: " . ($reply->{error} // '') =~ s/\d+/N/gr;
        $outcomes{$answer}++;
        if ($status == 200) { $clients->published($version) if $clients; return }
        # HTTP::Tiny says 599 where there is no answer: the worker that was asked is the one that died.
        return "version $version: $answer" if $status == 599 && ($reply->{error} // '') =~ /timed out/i;
        return "version $version: $answer" if $status != 599 && $status != 409 && $status < 500;
        return "version $version: $status without an error" if !$reply->{error};
    }
    return "version $version: not accepted by $CALLS calls";
}

# What the zone holds after changes that nobody disturbs, in bytes; and how long one of them took, in seconds.
sub zone_used {
    my $took = 0;
    for (1 .. $SETTLING) {
        my $began;
        my $problem = publish(undef, sub { $began = time });
        die "an undisturbed change fails: $problem\n" if $problem;
        $took += time - $began;
    }
    return ($nginx->status->{zone}{used}, $took / $SETTLING);
}

my ($used_before, $took) = zone_used();
%outcomes = ();
my $clients = HotLua::Clients->start(app => $app, kept => 3, short => 1, may_break => 1);
$clients->published($version);
my @wrong;
for my $round (1 .. $rounds) {
    my @workers = $nginx->worker_pids;
    # Under load a change takes longer than without.
    my ($victim, $delay) = ($workers[rand @workers], rand 2 * $took);
    my $killer;
    my $problem = publish($clients, sub {
        $killer = fork // die "fork: $!";
        return if $killer;
        sleep $delay;
        kill KILL => $victim;
        POSIX::_exit(0);
    });
    push @wrong, "round $round: $problem" if $problem;
    waitpid $killer, 0;
    $nginx->wait_for("a worker in the place of $victim", sub {
        my @now = $nginx->worker_pids;
        @now == @workers && !grep { $_ == $victim } @now;
    });
}
my $seen = $clients->stop;

is_deeply \@wrong, [], "$rounds kills: each change was accepted in the end";
note "answers of the calls: ", explain \%outcomes;
is $seen->{failed}, 0, 'no request hung or was answered by an error';
is $seen->{mixed}, 0, 'no answer mixed versions';
is $seen->{older}, 0, 'no request got a version older than one known before it was sent';
cmp_ok $seen->{versions}, '>', 1, "the clients saw versions change";
note "$seen->{requests} requests, $seen->{broken} broken by kills";
note $_ for @{ $seen->{problems} };

is publish(), undef, 'a change after the kills';
my $status = $nginx->status;
is $_->{generation}, $status->{generation}, "worker $_->{pid} is on the active generation" for @{ $status->{workers} };
is $status->{candidate}, undef, 'no candidate is left';
my $last = join ' ', ($version) x 10;
is $nginx->answers("/$_"), $last, "both workers have the last version at /$_" for qw(quick waiting);
$nginx->wait_for('the pins to go', sub { !grep { %{ $_->{pinned} } } @{ $nginx->status->{workers} } });

my ($used_after) = zone_used();
# A worker forgets a generation a moment after its last request.
eval { $nginx->wait_for('the zone', sub { ($used_after = $nginx->status->{zone}{used}) - $used_before < 65_536 }) };
cmp_ok $used_after - $used_before, '<', 65_536,
    "the zone got back what the dead held ($used_before, then $used_after bytes)";
# That nginx's master frees the lock of one who died with it is as it should be.
my $expected = qr/exited on signal 9|shared memory zone "hotlua" was locked by/;
is_deeply [grep { /\[(?:alert|emerg|crit)\]/ && !/$expected/ } split /\n/, $nginx->error_log], [],
    'nothing else alarming in the log';
$nginx->stop;
done_testing;
