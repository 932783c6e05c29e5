# What a generation is: a snapshot that the disk cannot change, from its first request to its last.
use strict;
use warnings;
use lib 't/lib';

use HTTP::Tiny;
use Test::More;

use HotLua::Nginx;

# Handlers by path; the answer is a line `pid`, then the text.
my $SERVER = <<'CONF';
    location ~ ^/module/([\w.]+)$ {
        set $module $1;
        add_header X-Generation $hotlua_generation;
        content_by_lua_block {
            local module = require(ngx.var.module)
            ngx.say(ngx.var.pid) ngx.print(type(module) == "table" and module.version or tostring(module))
        }
    }
    location ~ ^/try/([\w.]+)$ {
        set $module $1;
        content_by_lua_block { ngx.say(ngx.var.pid) ngx.print(tostring((pcall(require, ngx.var.module)))) }
    }
    location ~ ^/again/(\w+)$ {
        set $module $1;
        content_by_lua_block {
            package.loaded[ngx.var.module] = nil
            ngx.say(ngx.var.pid) ngx.print(require(ngx.var.module).version)
        }
    }
    # The module of the argument keeps a count.
    location = /count {
        content_by_lua_block {
            local module = require(ngx.var.arg_module)
            module.count = (module.count or 0) + 1
            ngx.say(ngx.var.pid) ngx.print(module.version, " ", module.count)
        }
    }
    location ~ ^/pages/(\w+)$ { content_by_lua_file %ROOT%/lua/$1.lua; }
    # Its request keeps its generation until the file marks/go.NAME is there, then requires the modules.
    location = /hold {
        add_header X-Generation $hotlua_generation;
        content_by_lua_block {
            io.open("%ROOT%/marks/held." .. ngx.var.arg_name, "w"):close()
            while not io.open("%ROOT%/marks/go." .. ngx.var.arg_name) do ngx.sleep(0.005) end
            for name in ngx.var.arg_modules:gmatch("%w+") do
                local ok, module = pcall(require, name)
                ngx.print(name, "=", ok and module.version or "none", " ")
            end
            ngx.print("in ", ngx.var.hotlua_generation)
        }
    }
    location = /overlay {
        content_by_lua_block {
            local files = { [ngx.var.arg_file] = ngx.var.arg_version
                and "return { version = '" .. ngx.var.arg_version .. "' }" or false }
            ngx.print(tostring(require("hotlua").publish{ reason = "test", files = files }))
        }
    }
CONF

sub version { return 'return { version = "' . $_[0] . '" }' }

sub start {
    my (%option) = @_;
    return HotLua::Nginx->new(
        http => 'lua_package_path "%ROOT%/lua/?.lua;;"; hotlua_root %ROOT%/lua; ' . ($option{http} // ''),
        server => $SERVER . ($option{server} // ''),
        files => { map { $_ => $option{files}{$_} } keys %{ $option{files} // {} } },
    );
}

sub touch { my ($path) = @_; open my $file, '>', $path or die "$path: $!"; return }

# A request that is pinned now, and requires the modules when `go` is called with its name.
sub hold {
    my ($nginx, $name, @modules) = @_;
    my $request = $nginx->begin("/hold?name=$name&modules=" . join ',', @modules);
    $nginx->wait_for('the request to be pinned', sub { -e "$nginx->{root}/marks/held.$name" });
    return $request;
}

sub go {
    my ($nginx, $name, $request) = @_;
    touch("$nginx->{root}/marks/go.$name");
    return $nginx->finish($request);
}

sub generations { my ($nginx) = @_; return @{ ($nginx->control(GET => 'generations'))[1] } }

# Kills a worker and returns when there is one in its place.
sub replace_worker {
    my ($nginx) = @_;
    my ($victim) = $nginx->worker_pids;
    kill KILL => $victim;
    $nginx->wait_for('a new worker', sub {
        my @now = $nginx->worker_pids;
        @now == $nginx->{workers} && !grep { $_ == $victim } @now;
    });
    return;
}

sub remove { my ($nginx, @names) = @_; unlink "$nginx->{root}/$_" or die "$_: $!" for @names; return }

my $quiet = qr/\[(?:alert|emerg|crit)\](?!.*(?:exited on signal 9|shared memory zone "hotlua" was locked by))/;

subtest 'the disk without a publish' => sub {
    my $nginx = start(files => { map { ("lua/$_.lua" => version('old')) } qw(loaded lazy deleted) });
    $nginx->write('lua/page.lua', 'ngx.say(ngx.var.pid) ngx.print("new")');
    is $nginx->answers('/module/loaded'), 'old', 'a module';
    is $nginx->answers('/pages/page'), 'new', 'a page that is new';
    $nginx->write("lua/$_.lua", version('new')) for 'loaded', 'lazy';
    $nginx->write('lua/page.lua', 'ngx.say(ngx.var.pid) ngx.print("newer")');
    remove($nginx, 'lua/deleted.lua');
    is $nginx->answers("/module/$_"), 'old', "$_: as the snapshot has it" for qw(loaded lazy deleted);
    is $nginx->answers('/pages/page'), 'new', 'the page as it was read first';
    replace_worker($nginx);
    is $nginx->answers("/module/$_"), 'old', "$_: in a respawned worker too" for qw(loaded lazy deleted);
    is $nginx->answers('/pages/page'), 'new', 'the page in a respawned worker';
    is $nginx->answers('/again/loaded'), 'old', 'a module that is required again is loaded from the snapshot';
    unlike $nginx->error_log, $quiet, 'nothing alarming in the log';
    $nginx->stop;
};

subtest 'a request that began before a publish' => sub {
    my $nginx = start(http => 'hotlua_keep 0;', files => { map { ("lua/$_.lua" => version('old')) } qw(changed deleted) });
    my $first = $nginx->status->{generation};
    my $request = hold($nginx, 'one', qw(changed deleted comes));
    $nginx->write('lua/changed.lua', version('new'));
    $nginx->write('lua/comes.lua', version('new'));
    remove($nginx, 'lua/deleted.lua');
    my ($status, $reply) = $nginx->publish;
    is $status, 200, 'published' or diag explain $reply;
    is_deeply $reply->{changed}, [qw(changed.lua comes.lua deleted.lua)], 'what changed';
    # The sources of what is gone must stay for it, whatever is published meanwhile.
    for my $number (1 .. 5) {
        $nginx->write('lua/changed.lua', version("newest"));
        $nginx->write('lua/more.lua', version($number));
        is +($nginx->publish)[0], 200, 'and another';
    }
    is $nginx->answers("/module/changed"), 'newest', 'a new request has the new one';
    is $nginx->answers('/try/deleted'), 'false', 'and not what was deleted';
    is go($nginx, 'one', $request), "changed=old deleted=old comes=none in $first", 'the old one requires what it began with';
    $nginx->wait_for('its pin to go', sub { !grep { %{ $_->{pinned} } } @{ $nginx->status->{workers} } });
    $nginx->stop;
};

subtest 'a new file' => sub {
    my $nginx = start(files => { 'lua/base.lua' => version('old') });
    is $nginx->answers('/try/comes'), 'false', 'is not there at first';
    my $before = $nginx->status->{generation};
    $nginx->write('lua/comes.lua', version('first'));
    my $response = $nginx->request('/module/comes');
    is $response->{content} =~ s/^\d+\n//r, 'first', 'is there without a publish';
    $nginx->write('lua/comes.lua', version('second'));
    is $nginx->answers('/module/comes'), 'first', 'and in both workers as the first one read it';
    replace_worker($nginx);
    is $nginx->answers('/module/comes'), 'first', 'also in one that comes later';
    is $nginx->status->{generation}, $before, 'all in the same generation';
    $nginx->write('lua/base.lua', version('new'));
    is +($nginx->invalidate('module=base'))[0], 200, 'another file is published';
    is $nginx->answers('/module/comes'), 'first', 'it stays as it was read';
    my ($status, $reply) = $nginx->publish;
    is_deeply $reply->{changed}, ['comes.lua'], 'a publish takes the disk\'s';
    is $nginx->answers('/module/comes'), 'second', 'in both workers';
    $nginx->stop;
};

subtest 'a new file in an earlier root' => sub {
    my $nginx = HotLua::Nginx->new(
        http => 'lua_package_path "%ROOT%/site/?.lua;%ROOT%/lua/?.lua;;"; hotlua_root %ROOT%/site %ROOT%/lua;',
        server => $SERVER,
        files => {
            'site/readme.lua' => 'return {}',
            'lua/base.lua' => version('common'),
            'lua/app.lua' => 'return { version = "app of " .. require("base").version }',
            'lua/lazy.lua' => version('common'),
        },
    );
    is $nginx->answers('/module/app'), 'app of common', 'the module of the later root';
    $nginx->write('site/base.lua', version('site'));
    $nginx->write('site/lazy.lua', version('site'));
    replace_worker($nginx);
    is $nginx->answers('/module/app'), 'app of common', 'stays without a publish, in a respawned worker too';
    is $nginx->answers('/module/lazy'), 'common', 'also where it was not required before';
    my ($status, $reply) = $nginx->publish;
    is $status, 200, 'published' or diag explain $reply;
    is_deeply [sort @{ $reply->{reloaded} }], [qw(app base lazy)], 'it is reloaded with its dependents';
    is $nginx->answers('/module/app'), 'app of site', 'from the earlier root';
    is $nginx->answers('/module/lazy'), 'site', 'the other too';
    remove($nginx, 'site/base.lua');
    is +($nginx->publish)[0], 200, 'it is taken away';
    is $nginx->answers('/module/app'), 'app of common', 'and the one behind it is back';
    $nginx->stop;
};

subtest 'paths that do not exist' => sub {
    my $nginx = start(files => { 'lua/base.lua' => version('old') });
    my $http = HTTP::Tiny->new(timeout => 10, keep_alive => 1);
    my $number = 0;
    my $flood = sub {
        my ($count) = @_;
        my %status;
        for (1 .. $count) {
            $number++;
            # Long, so that a worker that keeps them shows it.
            my $name = "none$number" . 'x' x 500;
            my $path = $number % 2 ? "/pages/$name" : "/try/$name";
            $status{ $http->get("http://127.0.0.1:$nginx->{port}$path")->{status} }++;
        }
        return \%status;
    };
    my $memory = sub {
        my $sum = 0;
        for my $pid ($nginx->worker_pids) {
            my ($kb) = HotLua::Nginx::slurp("/proc/$pid/status") =~ /^VmRSS:\s+(\d+)/m;
            $sum += $kb;
        }
        return $sum;
    };
    $flood->(1000);
    my ($used, $rss) = ($nginx->status->{zone}{used}, $memory->());
    is_deeply $flood->(5000), { 404 => 2500, 200 => 2500 }, 'are answered as such';
    is $nginx->status->{zone}{used}, $used, 'nothing more is in the zone';
    note 'the workers have grown by ' . ($memory->() - $rss) . ' KB';
    cmp_ok $memory->() - $rss, '<', 1024, 'the workers have not grown by a megabyte';
    is_deeply [map { $_->{modules} } @{ $nginx->status->{workers} }], [0, 0], 'no module is told of';
    $nginx->stop;
};

subtest 'a file that is deleted' => sub {
    my $nginx = start(files => {
        'lua/base.lua' => version('old'),
        'lua/app.lua' => 'return { version = "app of " .. require("base").version }',
        map { ("lua/$_.lua" => version('old')) } qw(unused alone),
    });
    is $nginx->answers('/module/app'), 'app of old', 'a module with a dependent';
    is $nginx->answers('/module/alone'), 'old', 'a module without';
    remove($nginx, 'lua/unused.lua', 'lua/alone.lua');
    my ($status, $reply) = $nginx->publish;
    is $status, 200, 'what nothing requires can go' or diag explain $reply;
    is_deeply $reply->{changed}, ['alone.lua', 'unused.lua'], 'both';
    is $nginx->answers("/try/$_"), 'false', "$_ is gone" for 'unused', 'alone';
    remove($nginx, 'lua/base.lua');
    ($status, $reply) = $nginx->publish;
    is $status, 409, 'what another module requires cannot';
    like $reply->{error}, qr/module 'base' not found/, 'why';
    like $reply->{file} // '', qr{lua/app\.lua$}, 'who requires it';
    is $nginx->answers('/module/app'), 'app of old', 'all goes on';
    replace_worker($nginx);
    is $nginx->answers('/module/app'), 'app of old', 'in a respawned worker too';
    $nginx->write('lua/app.lua', version('alone'));
    is +($nginx->publish)[0], 200, 'it can go with what requires it';
    is $nginx->answers('/module/app') . ' ' . $nginx->answers('/try/base'), 'alone false', 'in both workers';
    $nginx->stop;
};

subtest 'the state of modules that a change leaves alone' => sub {
    my $nginx = start(files => { map { ("lua/$_.lua" => version('old')) } qw(changed kept lazy) }, server => <<'CONF');
        location = /loading {
            content_by_lua_block { ngx.say(ngx.var.pid) ngx.print(tostring(require("hotlua").state("loading"))) }
        }
CONF
    my $counts = sub { my ($module) = @_; return $nginx->ask_all("/count?module=$module") };
    is $nginx->answers('/module/changed'), 'old', 'a module that will change';
    my $before = $counts->('kept');
    # It does not end before the test says so.
    $nginx->write('lua/changed.lua', <<"LUA");
require("hotlua").state("loading", function() return true end)
while not io.open("$nginx->{root}/marks/go") do end
return { version = "new" }
LUA
    my $pid = fork // die "fork: $!";
    if (!$pid) {
        my ($status) = $nginx->publish;
        delete $nginx->{pid};
        POSIX::_exit($status == 200 ? 0 : 1);
    }
    $nginx->wait_for('both workers to load it', sub { $nginx->answers('/loading') eq 'true' });
    my $between = $counts->('lazy');
    touch("$nginx->{root}/marks/go");
    waitpid $pid, 0;
    is $?, 0, 'the change was published';
    is $nginx->answers('/module/changed'), 'new', 'in both workers';
    my ($kept, $lazy) = ($counts->('kept'), $counts->('lazy'));
    for my $worker ($nginx->worker_pids) {
        cmp_ok +($kept->{$worker} =~ /(\d+)$/)[0], '>', ($before->{$worker} =~ /(\d+)$/)[0], 'one that was loaded before goes on';
        cmp_ok +($lazy->{$worker} =~ /(\d+)$/)[0], '>', ($between->{$worker} =~ /(\d+)$/)[0], 'one that was loaded meanwhile too';
    }
    my $count = $counts->('kept');
    $nginx->write('lua/kept.lua', version('new'));
    is +($nginx->publish)[0], 200, 'it changes itself';
    is +($nginx->get('/count?module=kept') =~ /\n(.*)/)[0], 'new 1', 'and begins anew';
    $nginx->stop;
};

subtest 'package.loaded' => sub {
    my $nginx = start(files => { 'lua/base.lua' => version('old') });
    my $count = sub { ($nginx->get('/count?module=base') =~ /\n(.*)/)[0] };
    $nginx->ask_all('/count?module=base');
    $nginx->write('lua/base.lua', version('new'));
    is $nginx->answers('/again/base'), 'old', 'what is taken out is loaded again, from the generation';
    is $count->(), 'old 1', 'anew';
    is +($nginx->publish)[0], 200, 'published';
    is $nginx->answers('/again/base'), 'new', 'then from the new one';
    $nginx->stop;
};

subtest 'a cold start with broken code' => sub {
    my $nginx = start(
        server => 'location = /static { content_by_lua_file %ROOT%/lua/static.lua; }',
        files => {
            'lua/good.lua' => version('good'),
            'lua/broken.lua' => "return {\n  version = = }",
            'lua/raises.lua' => "\n\nerror('no way')",
            'lua/static.lua' => 'ngx.say(',
        },
    );
    is $nginx->answers('/module/good'), 'good', 'nginx starts, and what is not broken runs';
    is $nginx->request("/$_")->{status}, 500, "$_: 500" for 'module/broken', 'module/raises', 'static';
    like $nginx->status->{last_error} // '', qr{lua/broken\.lua:2: unexpected symbol}, 'the status names the file and line';
    like $nginx->error_log, qr{\[error\].*\Q$_\E}, "the log tells of $_" for 'lua/broken.lua:2: unexpected', 'lua/static.lua:1:';
    my ($first) = generations($nginx);
    is $first->{state}, 'active', 'the generation is active';
    is $first->{line}, 2, 'with the line of its error';
    $nginx->write('lua/broken.lua', version('mended'));
    my ($status, $reply) = $nginx->publish;
    is $status, 200, 'one is mended, though another is broken still' or diag explain $reply;
    is $nginx->answers('/module/broken'), 'mended', 'and runs in both workers';
    $nginx->write('lua/static.lua', 'ngx.say(ngx.var.pid) ngx.print("mended")');
    $nginx->write('lua/raises.lua', version('mended'));
    is +($nginx->publish)[0], 200, 'the others are';
    is $nginx->answers('/static') . ' ' . $nginx->answers('/module/raises'), 'mended mended', 'and run too';
    is $nginx->status->{last_error}, undef, 'the status is clean';
    $nginx->stop;
};

subtest 'a reload of nginx' => sub {
    my $nginx = start(files => { map { ("lua/$_.lua" => version('one')) } qw(base other) });
    is $nginx->answers('/module/base'), 'one', 'before';
    my $first = $nginx->status->{generation};
    my $request = hold($nginx, 'reload', 'base', 'other');
    $nginx->write("lua/$_.lua", version('two')) for 'base', 'other';
    $nginx->reload;
    is $nginx->answers('/module/base'), 'two', 'it picks up the disk';
    my ($newest) = generations($nginx);
    cmp_ok $newest->{generation}, '>', $first, 'as a new generation';
    is "$newest->{state} $newest->{actor} $newest->{reason}", 'active nginx nginx reload', 'which says whence it is';
    is_deeply $newest->{changed}, ['base.lua', 'other.lua'], 'and what changed';
    $nginx->write('lua/base.lua', version('three'));
    is +($nginx->publish)[0], 200, 'a publish while an old worker drains';
    is go($nginx, 'reload', $request), "base=one other=one in $first", 'a request from before keeps its own';
    is $nginx->answers('/module/base'), 'three', 'new ones have the new one';
    my ($status, $reply) = $nginx->rollback("to=$first");
    is $status, 200, 'a rollback across the reload' or diag explain $reply;
    is $nginx->answers('/module/base') . ' ' . $nginx->answers('/module/other'), 'one one', 'restores what was before';
    is +($nginx->publish)[0], 200, 'and back';

    my $good = $nginx->status->{generation};
    $nginx->write('lua/base.lua', "\nreturn = 1");
    $nginx->write('lua/other.lua', version('four'));
    $nginx->reload;
    like $nginx->error_log, qr/\[alert\].*base\.lua:2: .*generation $good stays active/, 'one with broken code says so at alert';
    like $nginx->status->{last_error} // '', qr/base\.lua:2:/, 'and in the status';
    is $nginx->status->{generation}, $good, 'the last good stays';
    is $nginx->answers('/module/base') . ' ' . $nginx->answers('/module/other'), 'three two', 'for the new workers, whole';
    replace_worker($nginx);
    is $nginx->answers('/module/base') . ' ' . $nginx->answers('/module/other'), 'three two', 'and for a respawned one';
    is +($nginx->publish)[0], 409, 'a publish is rejected too';
    $nginx->write('lua/base.lua', version('five'));
    is +($nginx->publish)[0], 200, 'once it is repaired, one is accepted';
    is $nginx->answers('/module/base') . ' ' . $nginx->answers('/module/other'), 'five four', 'and runs';
    is $nginx->status->{last_error}, undef, 'the status is clean';
    $nginx->stop;
};

subtest 'a reload of nginx while a candidate is prepared' => sub {
    my $nginx = start(files => { 'lua/base.lua' => version('one') }, server => <<'CONF');
        location = /loading {
            content_by_lua_block { ngx.say(ngx.var.pid) ngx.print(tostring(require("hotlua").state("loading"))) }
        }
CONF
    is $nginx->answers('/module/base'), 'one', 'before';
    $nginx->write('lua/base.lua', <<'LUA');
require("hotlua").state("loading", function() return true end)
while true do end
LUA
    pipe my $from, my $to or die "pipe: $!";
    my $pid = fork // die "fork: $!";
    if (!$pid) {
        my ($status, $reply) = $nginx->publish;
        syswrite $to, "$status " . ($reply->{error} // '');
        delete $nginx->{pid};
        POSIX::_exit(0);
    }
    close $to;
    $nginx->wait_for('both workers to load it', sub { $nginx->answers('/loading') eq 'true' });
    $nginx->write('lua/base.lua', version('two'));
    $nginx->reload;
    is $nginx->answers('/module/base'), 'two', 'the new workers have what the disk has now';
    waitpid $pid, 0;
    like do { local $/; <$from> }, qr/^409 nginx was reloaded meanwhile/, 'who published the other is told';
    is $nginx->status->{candidate}, undef, 'no candidate is left';
    $nginx->write('lua/base.lua', version('three'));
    is +($nginx->publish)[0], 200, 'changes go on';
    is $nginx->answers('/module/base'), 'three', 'in both workers';
    unlike $nginx->error_log, $quiet, 'nothing alarming in the log';
    $nginx->stop;
};

subtest 'hotlua_keep' => sub {
    for my $keep (0, 1) {
        my $nginx = start(http => "hotlua_keep $keep;", files => { 'lua/base.lua' => version(1) });
        is $nginx->answers('/module/base'), '1', "$keep: the first version";
        my @generations = ($nginx->status->{generation});
        is +($nginx->rollback)[0], 404, "$keep: nothing is before it";
        for my $version (2, 3) {
            $nginx->write('lua/base.lua', version($version));
            push @generations, ($nginx->publish)[1]{generation};
        }
        my ($status, $reply) = $nginx->rollback("to=$generations[0]");
        is $status, 404, "$keep: the first is not kept";
        like $reply->{error}, qr/generation $generations[0] is not kept/, "$keep: why";
        is +($nginx->rollback)[0], $keep ? 200 : 404, "$keep: the one before";
        is $nginx->answers('/module/base'), $keep ? '2' : '3', "$keep: what runs then";
        my @told = grep { $_->{state} eq 'retained' } generations($nginx);
        is scalar(@told), $keep, "$keep: so many are told of";
        $nginx->stop;
    }
};

subtest 'hotlua_check' => sub {
    my $nginx = start(
        http => 'hotlua_check %ROOT%/check.lua;',
        files => {
            'lua/base.lua' => version('one'),
            'lua/lazy.lua' => version('one'),
            'check.lua' => <<'LUA',
local version = require("base").version
assert(require("lazy").version == version, "the versions differ: base has " .. version)
checked = version
LUA
        },
        server => 'location = /checked { content_by_lua_block { ngx.say(ngx.var.pid) ngx.print(tostring(checked)) } }',
    );
    is $nginx->answers('/module/base'), 'one', 'one of two is loaded';
    $nginx->write('lua/base.lua', version('two'));
    my ($status, $reply) = $nginx->publish;
    is $status, 409, 'it rejects';
    like $reply->{error}, qr/the versions differ: base has two/, 'having seen the candidate';
    like $reply->{file} // '', qr/check\.lua$/, 'its file';
    is $reply->{line}, 2, 'its line';
    is $nginx->answers('/module/base') . ' ' . $nginx->answers('/module/lazy'), 'one one', 'the last good goes on';
    $nginx->write('lua/lazy.lua', version('two'));
    ($status, $reply) = $nginx->publish;
    is $status, 200, 'it accepts' or diag explain $reply;
    is $nginx->answers('/module/base') . ' ' . $nginx->answers('/module/lazy'), 'two two', 'and both run';
    is $nginx->answers('/checked'), 'two', 'what it sets is the generation\'s';
    is +($nginx->rollback)[0], 200, 'it is asked about a rollback';
    is $nginx->answers('/checked'), 'one', 'too';
    $nginx->stop;
};

subtest 'hotlua_prepare compile' => sub {
    my $nginx = start(http => 'hotlua_prepare compile;', files => { 'lua/base.lua' => version('one') });
    is $nginx->answers('/module/base'), 'one', 'the first version';
    $nginx->write('lua/base.lua', 'return {');
    is +($nginx->publish)[0], 409, 'what does not compile is rejected';
    is $nginx->answers('/module/base'), 'one', 'and the last good goes on';
    $nginx->write('lua/base.lua', "error('no way')");
    is +($nginx->publish)[0], 200, 'what raises while it loads is not found out';
    is $nginx->request('/module/base')->{status}, 500, 'until it is required';
    is +($nginx->rollback)[0], 200, 'and can be taken back';
    is $nginx->answers('/module/base'), 'one', 'in both workers';
    $nginx->stop;
};

subtest 'an overlay' => sub {
    my $nginx = start(files => { map { ("lua/$_.lua" => version('disk')) } qw(base other) });
    my $overlay = sub { return $nginx->get('/overlay?file=' . join '&version=', @_) };
    my $has = sub {
        my ($base, $extra, $what) = @_;
        is $nginx->answers('/module/base'), $base, "$what: one over a file";
        is $nginx->answers($extra eq 'none' ? '/try/extra' : '/module/extra'), $extra eq 'none' ? 'false' : $extra, "$what: one of its own";
    };
    is $nginx->answers('/module/base'), 'disk', 'before';
    like $overlay->($_, 'over'), qr/^\d+$/, "$_ is published" for 'base.lua', 'extra.lua';
    $has->('over', 'over', 'published');
    is +(generations($nginx))[0]{reason}, 'test', 'with its reason';
    $nginx->write("lua/$_.lua", version('newer')) for 'base', 'other';
    is_deeply +($nginx->publish)[1]{changed}, ['other.lua'], 'a publish takes what lies elsewhere';
    $has->('over', 'over', 'after a publish');
    for my $query ('module=base', 'module=extra', 'all=1') {
        my ($status, $reply) = $nginx->invalidate($query);
        is $status, 200, "invalidate $query" or diag explain $reply;
    }
    $has->('over', 'over', 'after an invalidation');
    replace_worker($nginx);
    $has->('over', 'over', 'in a respawned worker');
    $nginx->reload;
    $has->('over', 'over', 'after a reload of nginx');
    like $overlay->('base.lua', 'anew'), qr/^\d+$/, 'it can be changed';
    $has->('anew', 'over', 'changed');
    like $overlay->($_), qr/^\d+$/, "$_ is taken back" for 'base.lua', 'extra.lua';
    $has->('newer', 'none', 'taken back');
    is +($nginx->rollback)[0], 200, 'a rollback';
    $has->('newer', 'over', 'rolled back');
    $nginx->stop;
};

subtest '$hotlua_generation' => sub {
    my $nginx = start(files => { 'lua/base.lua' => version('one') });
    my $generation = sub { $nginx->request('/module/base')->{headers}{'x-generation'} };
    my $first = $nginx->status->{generation};
    is $generation->(), $first, 'the active one';
    my $request = hold($nginx, 'variable', 'base');
    $nginx->write('lua/base.lua', version('two'));
    my ($status, $reply) = $nginx->publish;
    is $generation->(), $reply->{generation}, 'after a publish the new one' for 1 .. 4;
    is go($nginx, 'variable', $request), "base=one in $first", 'in a request from before its own';
    $nginx->stop;
};

done_testing;
