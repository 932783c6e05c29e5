# Changes that meet: several at once, a reload of nginx in the middle, workers that stop or die while they prepare.
use strict;
use warnings;
use lib 't/lib';

use HTTP::Tiny;
use JSON::PP ();
use POSIX ();
use Test::More;
use Time::HiRes qw(sleep);

use HotLua::Nginx;

my $STATES = 'local state = require("hotlua").state ngx.say(ngx.var.pid)';
my %OPTION = (
    http => 'lua_package_path "%ROOT%/lua/?.lua;;"; hotlua_root %ROOT%/lua; hotlua_prepare_timeout 1s;',
    server => <<"CONF",
        location = /app { content_by_lua_block { ngx.say(ngx.var.pid) ngx.print(require("app").version) } }
        location = /other { content_by_lua_block { ngx.say(ngx.var.pid) ngx.print(require("other").version) } }
        location = /loading { content_by_lua_block { $STATES ngx.print(tostring(state("loading"))) } }
        location = /go { content_by_lua_block { $STATES state("go", function() return true end) } }
        location = /overlay {
            content_by_lua_block {
                local generation, err = require("hotlua").publish{ files = { ["overlay.lua"] = "return " .. math.random() } }
                ngx.print(generation and "200" or "409 " .. err)
            }
        }
CONF
    files => { 'lua/app.lua' => 'return { version = 1 }', 'lua/other.lua' => 'return { version = 1 }' },
);

# It loads until a request of the same worker has let it go.
my $WAITING = <<'LUA';
local state = require("hotlua").state
state("loading", function() return true end)
local rounds = 0
while not state("go") do rounds = rounds + 1 end
return { version = "waited" }
LUA

# Runs CODE in a process of its own, which must not stop nginx; `answer_of` gets the text that it returns.
sub beside {
    my ($nginx, $code) = @_;
    pipe my $from, my $to or die "pipe: $!";
    my $pid = fork // die "fork: $!";
    if ($pid) { close $to; return { pid => $pid, from => $from } }
    close $from;
    delete $nginx->{pid};
    my $text = eval { $code->() } // "died: $@";
    syswrite $to, $text;
    POSIX::_exit(0);
}

sub answer_of {
    my ($beside) = @_;
    my $from = $beside->{from};
    my $text = do { local $/; <$from> };
    waitpid $beside->{pid}, 0;
    return $text;
}

# A connection that stays, to the worker PID.
sub connection_to {
    my ($nginx, $pid) = @_;
    return $nginx->wait_for("a connection to $pid", sub {
        my $http = HTTP::Tiny->new(timeout => 10, keep_alive => 1);
        return $http->get("http://127.0.0.1:$nginx->{port}/pid")->{content} == $pid && $http;
    });
}

sub on { my ($nginx, $http, $path) = @_; return $http->get("http://127.0.0.1:$nginx->{port}$path")->{content} }

# `status error` of a control call, by a connection or by any.
sub post {
    my ($nginx, $call, $http) = @_;
    $http //= HTTP::Tiny->new(timeout => 10, keep_alive => 0);
    my $response = $http->request(POST => "http://127.0.0.1:$nginx->{port}/hotlua/$call");
    my $reply = eval { JSON::PP::decode_json($response->{content}) } // { error => "no JSON: $response->{content}" };
    return join ' ', $response->{status}, $reply->{error} // ();
}

sub write_version {
    my ($nginx, $version) = @_;
    $nginx->write("lua/$_.lua", "return { version = $version }") for qw(app other);
    return;
}

# Reloads nginx and waits until it has COUNT workers and those of before are gone.
sub reload {
    my ($nginx, $count) = @_;
    my %old = map { $_ => 1 } $nginx->worker_pids;
    $nginx->signal('HUP');
    $nginx->wait_for("$count new workers", sub { my @now = $nginx->worker_pids; @now == $count && !grep { $old{$_} } @now });
    $nginx->wait_for('the old ones to end', sub { !grep { kill 0 => $_ } keys %old });
    return;
}

sub reconfigure {
    my ($nginx, $from, $to) = @_;
    my $conf = HotLua::Nginx::slurp("$nginx->{root}/nginx.conf");
    $conf =~ s/$from/$to/ or die "no $from in nginx.conf";
    $nginx->write('nginx.conf', $conf);
    return;
}

# A good change is taken by all workers.
sub works {
    my ($nginx, $version, $what) = @_;
    write_version($nginx, $version);
    is post($nginx, 'publish'), 200, "$what: a publish";
    is $nginx->answers("/$_"), $version, "$what: $_ in all workers" for qw(app other);
    is post($nginx, 'publish'), 200, "$what: and another";
    is_deeply [grep { $_->{generation} != $nginx->status->{generation} } @{ $nginx->status->{workers} }], [], "$what: one generation";
    return;
}

sub alarms { my ($nginx, $but) = @_; return [grep { /\[(?:alert|emerg|crit)\]/ && !/$but/ } split /\n/, $nginx->error_log] }

my $nginx = HotLua::Nginx->new(%OPTION);

subtest 'changes at once' => sub {
    $nginx->answers("/$_") for qw(app other);
    my %answers;
    for my $version (2 .. 11) {
        write_version($nginx, $version);
        my @changes = map { my $call = $_; beside($nginx, sub { post($nginx, $call) }) } qw(publish publish invalidate?module=app rollback);
        push @changes, beside($nginx, sub { $nginx->get('/overlay') });
        $answers{ answer_of($_) }++ for @changes;
        is post($nginx, 'publish'), 200, "$version: a publish after them";
        is $nginx->answers('/app') . $nginx->answers('/other'), "$version$version", "$version: it is what runs";
    }
    is_deeply \%answers, { 200 => 50 }, 'each is taken in its turn';
    is_deeply alarms($nginx, qr/^$/), [], 'nothing alarming in the log';
};

subtest 'nginx reloads meanwhile' => sub {
    my (%answers, $version);
    for my $round (1 .. 5) {
        $version = 20 + $round;
        write_version($nginx, $version);
        my @changes = map { my $call = $_; beside($nginx, sub { post($nginx, $call) }) } qw(publish invalidate?module=app rollback publish);
        $nginx->signal('HUP') for 1 .. 2 * $round;
        $answers{ answer_of($_) }++ for @changes;
        reload($nginx, 2);
        works($nginx, $version, "round $round");
    }
    is_deeply [grep { !/^(?:200|409 nginx was reloaded meanwhile|409 the candidate follows another generation)$/ } keys %answers], [],
        'each change was taken, or rejected because of the reload'
        or diag explain \%answers;
    is_deeply alarms($nginx, qr/^$/), [], 'nothing alarming in the log';
};

# While nginx's master makes the snapshot for a reload it has the turn: no worker may take it for dead.
subtest 'the turn of the master' => sub {
    my $files = 1500;
    $nginx->write("lua/many/m$_.lua", "return $_") for 1 .. $files;
    works($nginx, 30, 'many files');
    my %answers;
    for my $round (1 .. 6) {
        my @changes = map { beside($nginx, sub { join '|', map { post($nginx, 'invalidate?module=app') } 1 .. 4 }) } 1 .. 3;
        $nginx->signal('HUP');
        $answers{$_}++ for map { split /\|/, answer_of($_) } @changes;
        reload($nginx, 2);
    }
    is_deeply [grep { !/^(?:200|409 (?:nginx was reloaded meanwhile|the candidate follows another generation)|404 .*)$/ } keys %answers], [],
        'each change was answered' or diag explain \%answers;
    my ($status, $reply) = $nginx->control(POST => 'publish');
    is_deeply [$status, $reply->{changed}], [200, []], 'what runs is known whole';
    unlike $nginx->error_log, qr/the publisher of candidate 0 ended/, 'no worker took its turn';
    works($nginx, 31, 'after it');
};

subtest 'other numbers of workers' => sub {
    my $before = 2;
    for my $count (4, 1, 2) {
        reconfigure($nginx, "worker_processes $before", "worker_processes $count");
        reload($nginx, $count);
        works($nginx, 40 + $count, "$count workers");
        $before = $count;
    }
};

subtest 'another size of the zone' => sub {
    reconfigure($nginx, 'hotlua_prepare_timeout 1s;', 'hotlua_prepare_timeout 1s; hotlua_zone 16m;');
    reload($nginx, 2);
    is $nginx->status->{zone}{size}, 16 << 20, 'it is what the configuration says';
    works($nginx, 50, '16m');
    is_deeply alarms($nginx, qr/^$/), [], 'nothing alarming in the log';
};

subtest 'a worker that stands still' => sub {
    my ($stopped, $other) = $nginx->worker_pids;
    my $connection = connection_to($nginx, $other);
    write_version($nginx, 60);
    kill STOP => $stopped;
    my $answer = post($nginx, 'publish', $connection);
    $nginx->write('lua/other.lua', 'error("no way")');
    my $refused = post($nginx, 'publish', $connection);
    kill CONT => $stopped;
    like $answer, qr/^409 worker $stopped did not prepare the candidate within 1000 ms$/, 'is named';
    like $refused, qr/^409 .*other\.lua:1: no way/, "another's refusal counts at once";
    works($nginx, 61, 'once it goes on');
};

subtest 'a worker that dies while it prepares' => sub {
    my ($publisher, $victim) = $nginx->worker_pids;
    my ($connection, $to_victim) = map { connection_to($nginx, $_) } $publisher, $victim;
    $nginx->write('lua/app.lua', $WAITING);
    my $change = beside($nginx, sub { my $own = connection_to($nginx, $publisher); post($nginx, 'publish', $own) });
    $nginx->wait_for('the victim to load it', sub { on($nginx, $to_victim, '/loading') =~ /true/ });
    kill KILL => $victim;
    on($nginx, $connection, '/go');
    is answer_of($change), 200, 'does not hold the others up';
    $nginx->wait_for('a worker in its place', sub { my @now = $nginx->worker_pids; @now == 2 && !grep { $_ == $victim } @now });
    works($nginx, 70, 'after it');
};

subtest 'a publisher that stands still' => sub {
    reload($nginx, 2);
    $nginx->answers('/app');
    my ($publisher, $other) = $nginx->worker_pids;
    my ($connection, $to_publisher) = map { connection_to($nginx, $_) } $other, $publisher;
    $nginx->write('lua/app.lua', $WAITING);
    my $change = beside($nginx, sub { my $own = connection_to($nginx, $publisher); post($nginx, 'publish', $own) });
    $nginx->wait_for('both to load it', sub { 2 == grep { on($nginx, $_, '/loading') =~ /true/ } $connection, $to_publisher });
    kill STOP => $publisher;
    write_version($nginx, 80);
    my $next = beside($nginx, sub { my $own = connection_to($nginx, $other); post($nginx, 'publish', $own) });
    like on($nginx, $connection, '/other'), qr/^$other\n70$/, 'requests go on';
    kill CONT => $publisher;
    like answer_of($change), qr/^(?:200|409 .*took longer than the prepare timeout.*)$/, 'ends its own change';
    is answer_of($next), 200, 'and the next has its turn';
    works($nginx, 81, 'after it');
};

is_deeply alarms($nginx, qr/exited on signal 9/), [], 'nothing alarming in the log';
$nginx->stop;

subtest 'without a master' => sub {
    my %single = (%OPTION, http => $OPTION{http});
    my $nginx = HotLua::Nginx->new(%single, workers => 1);
    $nginx->signal('QUIT');
    $nginx->wait_for('nginx to end', sub { !kill 0 => $nginx->{pid} });
    reconfigure($nginx, 'worker_processes 1;', 'master_process off; daemon off;');
    $nginx->{pid} = fork // die "fork: $!";
    if (!$nginx->{pid}) { exec @{ $nginx->{nginx} } or POSIX::_exit(1) }
    $nginx->wait_for('an answer', sub { $nginx->answers('/app') eq '1' && $nginx->answers('/other') eq '1' });
    works($nginx, 2, 'a single process');
    $nginx->write('lua/app.lua', 'error("no way")');
    like post($nginx, 'publish'), qr/^409 .*app\.lua:1: no way/, 'what raises is rejected';
    is $nginx->answers('/app'), 2, 'and the old one goes on';
    is post($nginx, 'rollback'), 200, 'rolled back';
    is $nginx->answers('/app'), 1, 'to the first';
    kill QUIT => $nginx->{pid};
    waitpid delete $nginx->{pid}, 0;
    is $?, 0, 'it ends as it should';
};

done_testing;
