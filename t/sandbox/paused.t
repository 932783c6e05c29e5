# Scripts that are paused when something happens: their clients go away, nginx is told to end or is reloaded.
use strict;
use warnings;
use lib 't/lib';

use Test::More;

use HotLua::Nginx;

# Some dozen slices of honest work, and work without an end.
my %FILES = (
    'scripts/long.lua' => 'local n = 0 for i = 1, 2e6 do n = n + i % 7 end ngx.status = 201 ngx.say("done ", n)',
    'scripts/quick.lua' => 'ngx.print("quick")',
    'scripts/endless.lua' => 'while true do end',
);

sub start {
    return HotLua::Nginx->new(
        workers => 1,
        http => 'hotlua_sandbox one { allow ngx.say ngx.print ngx.status; vms 1; instructions 100000m; time 60s; }
            hotlua_sandbox short { allow ngx.say ngx.print ngx.status; vms 2; instructions 100000m; time 300ms; }',
        server => 'location ~ ^/one/(?<script>\w+)$ { content_by_sandbox_file one %ROOT%/scripts/$script.lua; }
            location ~ ^/short/(?<script>\w+)$ { content_by_sandbox_file short %ROOT%/scripts/$script.lua; }
',
        files => \%FILES,
    );
}

# Sends a request; when this returns its script runs: the worker has taken a later connection, too.
sub begin {
    my ($nginx, $path) = @_;
    my $socket = $nginx->begin($path);
    $nginx->get('/pid');
    return $socket;
}

# Reads all that is answered.
sub answer {
    my ($socket) = @_;
    local $SIG{ALRM} = sub { die "no answer\n" };
    alarm 10;
    my $answer = do { local $/; <$socket> } // '';
    alarm 0;
    return $answer;
}

sub is_readable {
    my ($socket) = @_;
    my $set = '';
    vec($set, fileno $socket, 1) = 1;
    return scalar select $set, undef, undef, 0;
}

sub is_quiet {
    my ($nginx) = @_;
    is_deeply [grep { /^\S+ \S+ \[(?:alert|emerg|crit)\]/ } split /\n/, $nginx->error_log], [], 'nothing alarming in the log';
    return;
}

subtest 'a client that goes away gives its VM back' => sub {
    my $nginx = start();
    my $gone = begin($nginx, '/one/endless');
    my $waits = begin($nginx, '/one/quick');
    ok !is_readable($waits), 'who needs its VM waits';
    close $gone;
    like answer($waits), qr/^HTTP\S+ 200.*quick\z/s, 'and runs';
    for (1 .. 20) {
        my @gone = map { begin($nginx, '/one/endless') } 1 .. 5;
        close $_ for @gone;
    }
    is $nginx->get('/one/quick'), 'quick', 'a hundred that went away leave one that can be used';
    $nginx->stop;
    is_quiet($nginx);
};

subtest 'one that goes away while it waits for a VM gives its place in the queue up' => sub {
    my $nginx = start();
    my $runs = begin($nginx, '/one/endless');
    my @gone = map { begin($nginx, '/one/endless') } 1 .. 3;
    my $waits = begin($nginx, '/one/quick');
    close $_ for @gone;
    $nginx->get('/pid');
    ok !is_readable($waits), 'the one behind them waits';
    close $runs;
    like answer($waits), qr/quick\z/, 'and is the next';
    $nginx->stop;
    is_quiet($nginx);
};

subtest 'nginx is told to end: what runs is answered first' => sub {
    my $nginx = start();
    my @sent = map { begin($nginx, $_) } qw(/one/long /one/long /short/endless);
    my $pid = $nginx->{pid};
    $nginx->signal('QUIT');
    like answer($sent[$_]), qr/^HTTP\S+ 201 .*done 5999997\n\z/s, 'one of the long ones: ' . $_ for 0, 1;
    like answer($sent[2]), qr/^HTTP\S+ 500 /, 'one that a limit ends';
    ok $nginx->wait_for('the end', sub { !kill 0 => $pid }), 'nginx has ended';
    is_quiet($nginx);
};

subtest 'a reload: old workers answer what they have begun' => sub {
    my $nginx = start();
    my $long = begin($nginx, '/one/long');
    $nginx->reload;
    is $nginx->get('/one/quick'), 'quick', 'the new worker has VMs of its own';
    like answer($long), qr/^HTTP\S+ 201 .*done 5999997\n\z/s, 'the old one answers';
    $nginx->stop;
    is_quiet($nginx);
};

done_testing;
