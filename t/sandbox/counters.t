# What sandboxed scripts come to, by profile, as status and metrics tell it: over all workers, after one has died, and
# after nginx was reloaded.
use strict;
use warnings;
use lib 't/lib';

use Test::More;

use HotLua::Metrics;
use HotLua::Nginx;

my $nginx = HotLua::Nginx->new(
    http => <<'CONF',
        hotlua_root %ROOT%/lua;
        hotlua_sandbox tenants { allow ngx.say; }
        hotlua_sandbox others { allow ngx.say; }
CONF
    server => <<'CONF',
        location = /tenants/ok { content_by_sandbox_file tenants %ROOT%/lua/ok.lua; }
        location = /tenants/error { content_by_sandbox_file tenants %ROOT%/lua/error.lua; }
        location = /tenants/cpu { content_by_sandbox_file tenants %ROOT%/lua/cpu.lua; }
        location = /others/ok { content_by_sandbox_file others %ROOT%/lua/ok.lua; }
CONF
    files => {
        'lua/ok.lua' => 'ngx.say("ok")',
        'lua/error.lua' => 'local x = nil + 1',
        'lua/cpu.lua' => 'while true do end',
    },
);

my @RESULTS = qw(ok cpu time memory output error);

# {PROFILE => its part of the status}
sub sandbox { return { map { $_->{profile} => $_ } @{ $nginx->status->{sandbox} } } }

# `ok=3 error=1`: what is not 0 of a profile.
sub results { my ($profile) = @_; return join ' ', map { $profile->{$_} ? "$_=$profile->{$_}" : () } @RESULTS }

# Asks until each worker has a VM of the profile; how many times that was.
sub warm {
    my ($path, $profile) = @_;
    my $asked = 0;
    $nginx->wait_for("a VM of $profile in each worker", sub {
        $nginx->get($path);
        $asked++;
        return sandbox()->{$profile}{vms} == 2;
    });
    return $asked;
}

my $asked;

subtest 'before anything ran' => sub {
    is_deeply [map { $_->{profile} } @{ $nginx->status->{sandbox} }], [qw(tenants others)], 'each profile is told';
    is_deeply [grep { $_ } map { my $told = $_; map { $told->{$_} } grep { $_ ne 'profile' } keys %$told } values %{ sandbox() }],
        [], 'all figures are 0';
};

subtest 'runs are counted by how they ended, over all workers' => sub {
    $asked = warm('/tenants/ok', 'tenants');
    is $nginx->request("/tenants/$_")->{status}, 500, $_ for qw(error error cpu);
    my $told = sandbox();
    is results($told->{tenants}), "ok=$asked cpu=1 error=2", 'each under its name';
    is results($told->{others}), '', 'nothing of it under another';
    cmp_ok $told->{tenants}{instructions}, '>', 0, 'instructions are counted';
    cmp_ok $told->{tenants}{slices}, '>=', $asked + 3, 'slices too, at least one a run';
    cmp_ok $told->{tenants}{vms_created}, '>=', 2, 'VMs were made';
    is "$told->{tenants}{waiting} $told->{tenants}{paused}", '0 0', 'no run waits or is paused after all have ended';
};

subtest 'metrics tell the same' => sub {
    my ($family, $sample) = HotLua::Metrics::parse($nginx->get('/hotlua/metrics'));
    my $told = sandbox();
    for my $profile (qw(tenants others)) {
        my $own = $told->{$profile};
        my %want = (
            (map { ("runs_total{profile=\"$profile\",result=\"$_\"}" => $own->{$_}) } @RESULTS),
            (map { ("${_}_total{profile=\"$profile\"}" => $own->{$_}) } qw(instructions slices vms_created vms_evicted vms_replaced)),
            (map { ("${_}_runs{profile=\"$profile\"}" => $own->{$_}) } qw(waiting paused)),
            "vms{profile=\"$profile\"}" => $own->{vms},
        );
        my %got = map { /^hotlua_sandbox_(.*profile="$profile".*)/ ? ($1 => $sample->{$_}) : () } keys %$sample;
        is_deeply \%got, \%want, $profile;
    }
    is $family->{"hotlua_sandbox_$_"}{type}, 'counter', $_ for qw(runs_total instructions_total vms_created_total);
    is $family->{"hotlua_sandbox_$_"}{type}, 'gauge', $_ for qw(vms waiting_runs paused_runs);
};

subtest 'a worker that dies' => sub {
    my ($victim) = my @pids = $nginx->worker_pids;
    my $before = results(sandbox()->{tenants});
    kill KILL => $victim;
    $nginx->wait_for('another in its place', sub {
        my @now = $nginx->worker_pids;
        return @now == 2 && !grep { $_ == $victim } @now;
    });
    my $told = sandbox()->{tenants};
    is results($told), $before, 'what it has counted stays';
    # The other worker has one, if it was asked at all.
    cmp_ok $told->{vms}, '<=', 1, 'what it had does not';
    $asked += warm('/tenants/ok', 'tenants');
    is results(sandbox()->{tenants}), "ok=$asked cpu=1 error=2", 'the one in its place goes on';
};

# Changes the configuration and reloads nginx, until the workers before are gone: they tell of their own profiles.
sub reload_with {
    my ($change) = @_;
    my @before = $nginx->worker_pids;
    local $_ = HotLua::Nginx::slurp("$nginx->{root}/nginx.conf");
    $change->();
    $nginx->write('nginx.conf', $_);
    $nginx->reload;
    $nginx->wait_for('the workers before to end', sub { !kill 0 => @before });
    return;
}

subtest 'nginx is reloaded' => sub {
    $nginx->get('/others/ok') for 1 .. 3;
    reload_with(sub { });
    my $told = sandbox();
    is results($told->{tenants}), "ok=$asked cpu=1 error=2", 'what was counted stays';
    is results($told->{others}), 'ok=3', 'for each';
    is $told->{tenants}{vms}, 0, 'the VMs of the workers before went with them';
    $asked += warm('/tenants/ok', 'tenants');
    is results(sandbox()->{tenants}), "ok=$asked cpu=1 error=2", 'and it goes on';
};

subtest 'profiles come and go' => sub {
    reload_with(sub { s/hotlua_sandbox others /hotlua_sandbox fresh /; s/sandbox_file others /sandbox_file fresh / });
    my $told = sandbox();
    is join(' ', sort keys %$told), 'fresh tenants', 'one is gone, another one is there';
    is results($told->{fresh}), '', 'which begins at 0';
    is results($told->{tenants}), "ok=$asked cpu=1 error=2", 'the other one stays';
    $nginx->get('/others/ok');
    is results(sandbox()->{fresh}), 'ok=1', 'it is counted';
    unlike $nginx->get('/hotlua/metrics'), qr/others/, 'the metrics do not tell of the one that is gone either';
    reload_with(sub { s/hotlua_sandbox fresh /hotlua_sandbox others /; s/sandbox_file fresh /sandbox_file others / });
    is results(sandbox()->{others}), '', 'one that comes back begins at 0';
    is results(sandbox()->{tenants}), "ok=$asked cpu=1 error=2", 'beside the one that stayed';
};

subtest 'no profile at all' => sub {
    reload_with(sub { s/^\s*hotlua_sandbox .*\n//mg; s/^\s*location .*sandbox_file.*\n//mg });
    is_deeply $nginx->status->{sandbox}, [], 'is an empty list';
    unlike $nginx->get('/hotlua/metrics'), qr/sandbox/, 'and no metrics';
};

my @bad = grep { /\[(?:alert|emerg|crit)\]/ && !/exited on signal 9/ } split /\n/, $nginx->error_log;
is_deeply \@bad, [], 'nothing alarming in the log';
$nginx->stop;
done_testing;
