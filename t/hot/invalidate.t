# Invalidation, step by step: what a change on disk does to two workers, and what it must not do.
use strict;
use warnings;
use lib 't/lib';

use Test::More;
use Time::HiRes qw(sleep);

use HotLua::Nginx;

my %module = (
    'lua/base.lua' => 'return { version = 1 }',
    'lua/app.lua' => 'local base = require "base" return { text = "app of base " .. base.version }',
    'lua/alone.lua' => 'return { version = 1 }',
    'lua/pages/one.lua' => 'ngx.say(ngx.var.pid) ngx.print("page 1")',
);

my $nginx = HotLua::Nginx->new(
    http => 'lua_package_path "%ROOT%/lua/?.lua;;"; hotlua_root %ROOT%/lua;',
    server => <<'CONF',
        location = /app { content_by_lua_block { ngx.say(ngx.var.pid) ngx.print(require("app").text) } }
        location = /alone { content_by_lua_block { ngx.say(ngx.var.pid) ngx.print(require("alone").version) } }
        location = /both {
            content_by_lua_block {
                local before = require("base").version
                ngx.sleep(0.05)
                ngx.say(ngx.var.pid) ngx.print(before, " ", require("base").version, " ", require("app").text)
            }
        }
        location = /slow {
            content_by_lua_block {
                ngx.sleep(0.8)
                ngx.print(require("alone").version)
            }
        }
        location = /global { content_by_lua_block { ngx.say(ngx.var.pid) ngx.print(tostring(leaked)) } }
        location ~ ^/pages/(\w+)$ { content_by_lua_file %ROOT%/lua/pages/$1.lua; }
CONF
    files => \%module,
);

subtest 'a changed module and what requires it' => sub {
    is $nginx->answers('/app'), 'app of base 1', 'both workers have the first version';
    $nginx->write('lua/base.lua', 'return { version = 2 }');
    is $nginx->answers('/app'), 'app of base 1', 'a change on disk alone changes nothing';
    my ($status, $reply) = $nginx->invalidate('module=base');
    is $status, 200, 'invalidated' or diag explain $reply;
    is_deeply $reply->{reloaded}, ['base', 'app'], 'the module, then its dependent';
    is $reply->{generation}, $nginx->status->{generation}, 'the reply names the active generation';
    is $nginx->answers('/app'), 'app of base 2', 'both workers have the second version';
    is $_->{generation}, $reply->{generation}, "worker $_->{pid} is on it" for @{ $nginx->status->{workers} };
};

subtest 'without dependents' => sub {
    $nginx->write('lua/base.lua', 'return { version = 3 }');
    my ($status, $reply) = $nginx->invalidate('module=base&dependents=0');
    is $status, 200, 'invalidated';
    is_deeply $reply->{reloaded}, ['base'], 'only the module';
    is $nginx->answers('/app'), 'app of base 2', 'the dependent keeps what it had';
    ($status, $reply) = $nginx->invalidate('module=app');
    is $nginx->answers('/app'), 'app of base 3', 'until it is reloaded itself';
};

subtest 'broken code is rejected and the last good goes on' => sub {
    my $before = $nginx->status->{generation};
    for my $broken (
        ['syntax', "return {\n  version = = 4 }", 2, qr/unexpected symbol/],
        ['raises', "leaked = 'yes'\n\nerror('no way')", 3, qr/no way/],
        ['missing module', 'local x = require "does.not.exist" return x', 1, qr/module 'does.not.exist' not found/],
        ['yields', "\ncoroutine.yield()", undef, qr/yield/],
        ['calls nil', 'local x x()', 1, qr/attempt to call/],
    ) {
        my ($name, $source, $line, $error) = @$broken;
        $nginx->write('lua/base.lua', $source);
        my ($status, $reply) = $nginx->invalidate('module=base');
        is $status, 409, "$name: rejected";
        like $reply->{error}, $error, "$name: why";
        like $reply->{file} // '', qr{lua/base\.lua$}, "$name: file" if defined $line;
        is $reply->{line}, $line, "$name: line" if defined $line;
        is $nginx->answers('/app'), 'app of base 3', "$name: the last good goes on";
        is $nginx->answers('/global'), 'nil', "$name: leaves no global";
    }
    is $nginx->status->{generation}, $before, 'the generation is the same';
    like $nginx->status->{last_error}, qr/attempt to call/, 'the status tells of the last rejection';
    like $nginx->error_log, qr/\[error\] .*candidate \d+ was rejected: .*no way/, 'so does the log';
    unlink "$nginx->{root}/lua/base.lua";
    my ($status, $reply) = $nginx->invalidate('module=base');
    is $status, 409, 'a deleted file is rejected';
    like $reply->{error}, qr/does not exist/, 'with its reason';
    $nginx->write('lua/base.lua', 'return { version = 5 }');
    ($status) = $nginx->invalidate('module=base');
    is $status, 200, 'a fixed version is not poisoned by the failed ones';
    is $nginx->answers('/app'), 'app of base 5', 'and runs everywhere';
    is $nginx->status->{last_error}, undef, 'the status is clean again';
};

subtest 'unknown names' => sub {
    for my $query ('module=no.such', 'file=no/such.lua', 'pattern=no.*', 'file=/etc/passwd') {
        my ($status, $reply) = $nginx->invalidate($query);
        is $status, 404, $query;
        ok $reply->{error}, "$query: says why";
    }
};

subtest 'files named by the request' => sub {
    is $nginx->answers('/pages/one'), 'page 1', 'the first version';
    $nginx->write('lua/pages/one.lua', 'ngx.say(ngx.var.pid) ngx.print("page 2")');
    is $nginx->answers('/pages/one'), 'page 1', 'is cached';
    my ($status, $reply) = $nginx->invalidate('file=pages/one.lua');
    is $status, 200, 'invalidated by a path relative to the root';
    is $nginx->answers('/pages/one'), 'page 2', 'both workers have the second version';
    $nginx->write('lua/pages/one.lua', 'ngx.say(');
    ($status, $reply) = $nginx->invalidate("file=$nginx->{root}/lua/pages/one.lua");
    is $status, 409, 'a broken one is rejected';
    is $nginx->answers('/pages/one'), 'page 2', 'and the last good goes on';
    $nginx->write('lua/pages/two.lua', 'ngx.say(ngx.var.pid) ngx.print("new")');
    is $nginx->answers('/pages/two'), 'new', 'a new file needs no invalidation';
    $nginx->write('lua/pages/one.lua', 'ngx.say(ngx.var.pid) ngx.print("page 3")');
};

subtest 'patterns and everything' => sub {
    $nginx->answers('/alone');
    $nginx->write('lua/alone.lua', 'return { version = 2 }');
    my ($status, $reply) = $nginx->invalidate('pattern=al*');
    is $status, 200, 'by pattern';
    is_deeply $reply->{reloaded}, ['alone'], 'reloads what matches';
    is $nginx->answers('/alone'), '2', 'in both workers';
    $nginx->write('lua/alone.lua', 'return { version = 3 }');
    $nginx->write('lua/base.lua', 'return { version = 6 }');
    ($status, $reply) = $nginx->invalidate('all=1');
    is $status, 200, 'everything' or diag explain $reply;
    is_deeply [sort @{ $reply->{reloaded} }], [qw(alone app base)], 'reloads every loaded module';
    is $nginx->answers('/alone') . ' ' . $nginx->answers('/app') . ' ' . $nginx->answers('/pages/one'),
        '3 app of base 6 page 3', 'in both workers';
};

subtest 'the modules are told of' => sub {
    my ($status, $modules) = $nginx->control(GET => 'modules');
    is $status, 200, 'listed';
    my %by_name = map { $_->{name} => $_ } @$modules;
    is $by_name{base}{file}, 'base.lua', 'file, relative to its root';
    is_deeply $by_name{base}{required_by}, ['app'], 'required by';
    is_deeply $by_name{app}{requires}, ['base'], 'requires';
    is $by_name{app}{ffi}, JSON::PP::false, 'no ffi';
    like $by_name{app}{hash}, qr/^[0-9a-f]{64}$/, 'hash';
};

subtest 'a request keeps the version that it began with' => sub {
    $nginx->answers('/alone');
    my $reader = fork // die;
    if (!$reader) {
        my $seen = $nginx->get('/slow');
        delete $nginx->{pid};
        POSIX::_exit($seen eq '3' ? 0 : 1);
    }
    my $old = $nginx->status->{generation};
    $nginx->wait_for('the slow request to be pinned', sub { $nginx->error_log; sleep 0.2; 1 });
    $nginx->write('lua/alone.lua', 'return { version = 4 }');
    my ($status) = $nginx->invalidate('module=alone');
    is $status, 200, 'invalidated meanwhile';
    my @pinned = map { $_->{pinned}{$old} // () } @{ $nginx->status->{workers} };
    is_deeply \@pinned, [1], 'the status shows the request that is pinned to the generation before';
    is $nginx->answers('/alone'), '4', 'new requests have the new version';
    waitpid $reader, 0;
    is $? >> 8, 0, 'the running one had its own';
    $nginx->wait_for('the pin to go', sub { !grep { %{ $_->{pinned} } } @{ $nginx->status->{workers} } });
    pass 'and its pin is gone';
};

subtest 'a worker that dies is replaced by one with the same code' => sub {
    my @before = $nginx->worker_pids;
    kill KILL => $before[0];
    $nginx->wait_for('a new worker', sub {
        my @now = $nginx->worker_pids;
        @now == 2 && !grep { $_ == $before[0] } @now;
    });
    $nginx->write('lua/alone.lua', 'return { version = "on disk only" }');
    is $nginx->answers('/alone') . ' ' . $nginx->answers('/app'), '4 app of base 6', 'not what the disk has meanwhile';
    my ($status, $reply) = $nginx->invalidate('module=alone');
    is $status, 200, 'the new worker takes part in changes' or diag explain $reply;
    is $nginx->answers('/alone'), 'on disk only', 'both follow';
};

subtest 'no mixed answers while code changes' => sub {
    my $reader = fork // die;
    if (!$reader) {
        delete $nginx->{pid};
        my $mixed = 0;
        for (1 .. 60) {
            my (undef, $answer) = split /\n/, $nginx->get('/both'), 2;
            my ($before, $after, $app) = $answer =~ /^(\d+) (\d+) app of base (\d+)$/ or do { print STDERR "unexpected answer: $answer\n"; POSIX::_exit(2) };
            $mixed++ if $before != $after || $after != $app;
        }
        POSIX::_exit($mixed ? 1 : 0);
    }
    my $version = 100;
    my $failed = 0;
    while (waitpid($reader, POSIX::WNOHANG()) == 0) {
        $version++;
        $nginx->write('lua/base.lua', "return { version = $version }");
        my ($status) = $nginx->invalidate('module=base');
        $failed++ if $status != 200;
    }
    is $? >> 8, 0, 'each request saw one version';
    is $failed, 0, 'each change was accepted';
    is $nginx->answers('/app'), "app of base $version", 'and the last is what runs';
};

subtest 'a reload of nginx starts from the disk' => sub {
    $nginx->write('lua/base.lua', 'return { version = "reloaded" }');
    my %before = map { $_ => 1 } $nginx->worker_pids;
    $nginx->signal('HUP');
    $nginx->wait_for('new workers', sub { my @now = $nginx->worker_pids; @now == 2 && !grep { $before{$_} } @now });
    is $nginx->answers('/app'), 'app of base reloaded', 'both new workers';
    $nginx->write('lua/base.lua', 'return { version = "after" }');
    my ($status, $reply) = $nginx->invalidate('module=base');
    is $status, 200, 'changes go on' or diag explain $reply;
    is $nginx->answers('/app'), 'app of base after', 'in both';
};

my $log = $nginx->error_log;
unlike $log, qr/\[(?:alert|emerg|crit)\](?!.*exited on signal 9)/, 'nothing alarming in the log';
$nginx->stop;
done_testing;
