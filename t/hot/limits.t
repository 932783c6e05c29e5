# What a publish must survive: candidates that are too large, files that are none, modules that do their worst.
use strict;
use warnings;
use lib 't/lib';

use POSIX ();
use Test::More;

use HotLua::Nginx;

my $ROOT = 'lua_package_path "%ROOT%/lua/?.lua;;"; hotlua_root %ROOT%/lua;';

sub location { my ($path, $lua) = @_; return "location = $path { content_by_lua_block { ngx.say(ngx.var.pid) $lua } }\n" }
sub publish { my ($nginx) = @_; return $nginx->control(POST => 'publish') }
sub lines_like { my ($nginx, $pattern) = @_; return grep { /$pattern/ } split /\n/, $nginx->error_log }

# Lua that compiles to about as many bytes as it has.
sub functions { my ($count) = @_; return "local t = {}\n" . join('', map { "t.k$_ = function(a, b) return a + b * $_ end\n" } 1 .. $count) }

subtest 'a candidate that does not fit the zone' => sub {
    my $nginx = HotLua::Nginx->new(
        http => "$ROOT hotlua_zone 1m;",
        server => location('/app', 'ngx.print(#require("app").text)'),
        files => { 'lua/app.lua' => 'return { text = "1" }' },
    );
    is $nginx->answers('/app'), 1, 'both workers have the first version';
    my ($used, $generation) = ($nginx->status->{zone}{used}, $nginx->status->{generation});
    for my $round (1 .. 3) {
        $nginx->write('lua/app.lua', sprintf 'return { text = "%s" }', 'x' x 900_000);
        my ($status, $reply) = publish($nginx);
        is $status, 409, "round $round: rejected";
        like $reply->{error}, qr/hotlua_zone is full: \d+ bytes needed, \d+ free; raise its size/, 'with the bytes';
    }
    is $nginx->status->{generation}, $generation, 'the old generation goes on';
    is $nginx->answers('/app'), 1, 'in both workers';
    cmp_ok $nginx->status->{zone}{used} - $used, '<=', 8192, 'what it took came back';
    $nginx->write('lua/app.lua', sprintf 'return { text = "%s" }', 'x' x 10_000);
    my ($status, $reply) = publish($nginx);
    is $status, 200, 'a smaller one is taken' or diag explain $reply;
    is $nginx->answers('/app'), 10_000, 'by both workers';
    $nginx->stop;
};

# The candidate fits, but what it leaves of earlier generations does not: that must not cost the one that runs.
subtest 'a zone too small for the earlier generations' => sub {
    my $modules = 500;
    my $nginx = HotLua::Nginx->new(
        http => "$ROOT hotlua_zone 1m;",
        server => location('/app', 'ngx.print(require("m1").version)'),
        files => { map { ("lua/m$_.lua" => 'return { version = 1 }') } 1 .. $modules },
    );
    is $nginx->answers('/app'), 1, 'both workers have the first version';
    my ($version, @wrong) = (1);
    my $write = sub { my ($version) = @_; $nginx->write("lua/m$_.lua", "return { version = $version }") for 1 .. $modules };
    for my $next (2 .. 8) {
        $write->($next);
        my ($status, $reply) = publish($nginx);
        if ($status == 200) {
            $version = $next;
        } else {
            push @wrong, "$next: $status $reply->{error}" if $reply->{error} !~ /hotlua_zone is full/;
            $write->($version);
        }
        my $now = $nginx->status;
        push @wrong, "$next: candidate $now->{candidate} is left" if defined $now->{candidate};
        ($status, $reply) = publish($nginx);
        my $changed = @{ $reply->{changed} // [] };
        push @wrong, "$next: of the active files $changed are said to differ: $status" if $changed || $status != 200;
        my $answers = $nginx->answers('/app');
        push @wrong, "$next: $answers instead of $version" if $answers ne $version;
    }
    is_deeply \@wrong, [], 'what runs is known whole, whether the next was taken or not';
    my ($said) = lines_like($nginx, qr/hotlua_zone is full/);
    ok $said, 'the log tells that the zone is too small' or diag $nginx->error_log;
    is_deeply [lines_like($nginx, qr/is lost|\[(?:alert|emerg|crit)\]/)], [], 'nothing was lost';
    $nginx->stop;
};

# Rejected candidates are told of for long; many large ones must not fill the zone.
subtest 'many large rejected candidates' => sub {
    my $modules = 600;
    my $nginx = HotLua::Nginx->new(
        http => "$ROOT hotlua_zone 2m;",
        server => location('/app', 'ngx.print(require("m1").version)'),
        files => { map { ("lua/m$_.lua" => 'return { version = 1 }') } 1 .. $modules },
    );
    is $nginx->answers('/app'), 1, 'both workers have the first version';
    my $used;
    $nginx->write("lua/m$_.lua", 'return { version = 2 }') for 2 .. $modules;
    for my $round (1 .. 22) {
        $nginx->write('lua/m1.lua', "error('refused $round')");
        my ($status, $reply) = publish($nginx);
        $status == 409 && $reply->{error} =~ /refused/ or return fail "round $round: $status " . ($reply->{error} // '');
        $used //= $nginx->status->{zone}{used};
    }
    cmp_ok $nginx->status->{zone}{used} - $used, '<', 262_144, 'they take little room';
    $nginx->write('lua/m1.lua', 'return { version = 2 }');
    my ($status, $reply) = publish($nginx);
    is $status, 200, 'a good one is taken' or diag explain $reply;
    is $nginx->answers('/app'), 2, 'by both workers';
    $nginx->stop;
};

subtest 'roots that do not fit' => sub {
    my %large = map { ("lua/big$_.lua" => '-- ' . 'x' x 500_000) } 1 .. 3;
    my $nginx = HotLua::Nginx->new(http => "$ROOT hotlua_zone 1m;", server => location('/one', 'ngx.print(1)'));
    $nginx->write($_, $large{$_}) for sort keys %large;
    # What nginx says of its configuration goes to its standard error.
    my $said = qx(@{ $nginx->{nginx} } -t 2>&1);
    isnt $?, 0, 'given ones: nginx -t fails';
    like $said, qr/\[emerg\].*do not fit hotlua_zone, write for instance "hotlua_zone \d+m"/, 'and says what to write';
    $nginx->signal('HUP');
    $nginx->wait_for('the reload to fail', sub { lines_like($nginx, qr/\[emerg\].*do not fit/) });
    is $nginx->answers('/one'), 1, 'a reload leaves what runs';
    $nginx->stop;

    $nginx = HotLua::Nginx->new(
        http => 'lua_package_path "%ROOT%/lua/?.lua;;"; hotlua_zone 1m;',
        server => location('/app', 'ngx.print(require("app"))'),
        files => { %large, 'lua/app.lua' => 'return 1' },
    );
    $said = qx(@{ $nginx->{nginx} } -t 2>&1);
    like $said, qr/\[warn\].*derived from.*does not fit hotlua_zone \(which would take \d+m\).*hotlua_root/, 'a derived one: a warning that says what to do';
    is $nginx->answers('/app'), 1, 'files are read when they are needed';
    $nginx->write('lua/app.lua', 'return 2');
    is $nginx->answers('/app'), 1, 'and kept';
    my ($status) = $nginx->invalidate('module=app');
    is $status, 200, 'until a change is asked for';
    is $nginx->answers('/app'), 2, 'in both workers';
    $nginx->stop;

    $nginx = HotLua::Nginx->new(
        http => 'lua_package_path "/?.lua;%ROOT%/lua/?.lua";',
        server => location('/app', 'ngx.print(require("app"))'),
        files => { 'lua/app.lua' => 'return 1' },
    );
    like qx(@{ $nginx->{nginx} } -t 2>&1), qr/\[warn\].*is the whole file system: it is not scanned/, 'the whole file system is not scanned';
    is $nginx->answers('/app'), 1, 'and code runs';
    $nginx->stop;
};

# What weighs little on disk may take much in the zone. nginx exits where a module fails as late as that, so a reload
# into such a configuration would end a server that runs.
subtest 'a first snapshot that does not fit after all' => sub {
    my %files = map { ("lua/m$_.lua" => "-- $_\n" . functions(1000) . 'return { version = 1 }') } 1 .. 14;
    my $nginx = HotLua::Nginx->new(
        http => "$ROOT hotlua_zone 16m;",
        server => location('/app', 'ngx.print(require("m1").version)'),
        files => \%files,
    );
    is $nginx->answers('/app'), 1, 'it runs in a large zone';
    my @before = $nginx->worker_pids;
    my $conf = HotLua::Nginx::slurp("$nginx->{root}/nginx.conf");
    $nginx->write('nginx.conf', $conf =~ s/hotlua_zone 16m/hotlua_zone 1m/r);
    $nginx->signal('HUP');
    $nginx->wait_for('new workers', sub {
        my @now = $nginx->worker_pids;
        @now == 2 && !grep { my $pid = $_; grep { $_ == $pid } @before } @now;
    });
    $nginx->wait_for('the old ones to end', sub { !grep { kill 0 => $_ } @before });
    is $nginx->answers('/app'), 1, 'a reload into a small one leaves a server that answers';
    my ($status, $reply) = publish($nginx);
    ok $status == 200 || $reply->{error} =~ /hotlua_zone is full/, "a publish is answered ($status)";
    is $nginx->answers('/app'), 1, 'and leaves what runs';
    $nginx->stop;
};

subtest 'large files' => sub {
    my $nginx = HotLua::Nginx->new(
        http => "$ROOT hotlua_zone 256m;",
        server => location('/app', 'ngx.print(#require("app"))'),
        files => { 'lua/app.lua' => 'return ""' },
    );
    is $nginx->answers('/app'), 0, 'both workers have the first version';
    $nginx->write('lua/app.lua', 'return "' . 'x' x 30_000_000 . '"');
    my ($status, $reply) = publish($nginx);
    is $status, 200, '30 MB are taken' or diag explain $reply;
    is $nginx->answers('/app'), 30_000_000, 'by both workers';
    truncate "$nginx->{root}/lua/app.lua", (64 << 20) + 1;
    ($status, $reply) = publish($nginx);
    is $status, 409, 'a file that runs must not grow above 64 MiB';
    like $reply->{error}, qr{lua/app\.lua: .*(?:larg|big|MiB|limit)}i, 'and the reason is told';
    $nginx->write('lua/app.lua', 'return "x"');
    $nginx->write('lua/huge.lua', '');
    truncate "$nginx->{root}/lua/huge.lua", (64 << 20) + 1;
    ($status, $reply) = publish($nginx);
    is $status, 200, 'one that never ran is left out' or diag explain $reply;
    is_deeply $reply->{changed}, ['app.lua'], 'and the others are taken';
    is $nginx->answers('/app'), 1, 'by both workers';
    $nginx->stop;
};

subtest 'what is no readable file' => sub {
    my $nginx = HotLua::Nginx->new(
        http => $ROOT,
        server => location('/app', 'ngx.print(require("app"))'),
        files => { 'lua/app.lua' => 'return 1', 'lua/sub/x.lua' => 'return 1' },
    );
    my $lua = "$nginx->{root}/lua";
    is $nginx->answers('/app'), 1, 'both workers have the first version';
    POSIX::mkfifo("$lua/fifo.lua", 0644) or die "mkfifo: $!";
    mkdir "$lua/directory.lua";
    symlink '/etc/passwd', "$lua/outside.lua";
    symlink '/dev/zero', "$lua/device.lua";
    symlink 'nowhere.lua', "$lua/dangling.lua";
    symlink 'circle.lua', "$lua/circle.lua";
    symlink '..', "$lua/up";
    symlink '.', "$lua/here";
    $nginx->write('lua/secret.lua', 'return 1');
    chmod 0, "$lua/secret.lua";
    $nginx->write('lua/app.lua', 'return 2');
    my ($status, $reply) = publish($nginx);
    is $status, 200, 'new ones are left out' or diag explain $reply;
    is_deeply [grep { !/^secret/ } @{ $reply->{changed} }], ['app.lua'], 'and no file of them is taken';
    is $nginx->answers('/app'), 2, 'the change is';
    for my $place (
        ['a FIFO', sub { POSIX::mkfifo($_[0], 0644) }],
        ['a directory', sub { mkdir $_[0] }],
        ['a symlink out', sub { symlink '/etc/passwd', $_[0] }],
        ['a device', sub { symlink '/dev/zero', $_[0] }],
    ) {
        my ($what, $make) = @$place;
        unlink "$lua/app.lua";
        $make->("$lua/app.lua") or die "$what: $!";
        ($status, $reply) = publish($nginx);
        is $status, 409, "$what in the place of a file that runs is rejected";
        like $reply->{file} // '', qr{lua/app\.lua$}, 'and named';
        is $nginx->answers('/app'), 2, 'the old one goes on';
        rmdir "$lua/app.lua" or unlink "$lua/app.lua";
    }
    $nginx->write('lua/app.lua', 'return 3');
    ($status, $reply) = publish($nginx);
    is $status, 200, 'a file again: taken' or diag explain $reply;
    is $nginx->answers('/app'), 3, 'by both workers';
    $nginx->stop;
};

my $VERSION = 'local ok, app = pcall(require, "app") ngx.print(type(app) == "table" and tostring(app.version) or tostring(app))';

subtest 'modules that do their worst' => sub {
    my $nginx = HotLua::Nginx->new(
        http => "$ROOT hotlua_prepare_timeout 300ms; init_by_lua_block { guard = getmetatable(_G) }",
        server => location('/app', $VERSION) . location('/global', 'ngx.print(tostring(leaked), getmetatable(_G) == guard)'),
        files => { 'lua/app.lua' => 'return { version = 0 }' },
    );
    is $nginx->answers('/app'), 0, 'both workers have the first version';
    my @workers = sort $nginx->worker_pids;
    my $late = qr/took longer than the prepare timeout/;
    my $version = 0;
    for my $bad (
        ['raises', "leaked = 1\nerror('no way')", qr/no way/],
        ['yields', "\ncoroutine.yield()", qr/attempt to yield/],
        ['a loop', "\nwhile true do end", $late],
        ['a loop of pcalls', "\nwhile true do pcall(function() while true do end end) end", $late],
        ['a loop in a message handler', "\nwhile true do xpcall(error, function() while true do end end) end", $late],
        ['a loop in a callback of gsub', "\nlocal _ = ('x'):gsub('.', function() while true do end end)", $late],
        ['a loop in a coroutine', "\ncoroutine.wrap(function() while true do end end)()", $late],
        ['pcalls in a coroutine', "\ncoroutine.wrap(function() while true do pcall(function() while true do end end) end end)()", $late],
        ['a loop in a metamethod', "\nlocal _ = setmetatable({}, { __index = function() while true do end end }).x", $late],
        ['a loop in a comparison', "\ntable.sort({ 3, 2, 1 }, function() while true do end end)", $late],
        ['a loop while the error is told', "\nerror(setmetatable({}, { __tostring = function() while true do end end }))", $late],
        ['a loop that is caught', "\npcall(function() while true do end end) return { version = 'caught' }", $late],
        ['a loop with the JIT on', "\njit.on() while true do end", $late],
        ['a hook', "\ndebug.sethook() while true do end", qr/debug\.sethook\(\) while a module is loaded/],
        ['os.exit', "\nos.exit(0)", qr/os\.exit\(\) while a module is loaded/],
        ['error(nil)', "\nerror(nil)", qr/^nil$/],
        ['error({})', "\nerror({})", qr/^table: /],
        ['an error that tells itself', "\nerror(setmetatable({}, { __tostring = function() return 'told' end }))", qr/^told$/],
        ['endless recursion', "\nlocal function f() return 1 + f() end return f()", qr/stack overflow/],
        ['a syntax error', "\nx = = 1", qr/unexpected symbol/],
        ['too many locals', "\n" . join(' ', map { "local a$_" } 1 .. 201), qr/more than 200 local variables/],
        ['requires itself', "\nlocal own = require('app') return own", qr/loop or previous error loading module 'app'/],
        ['strict globals', "setmetatable(_G, { __newindex = function(_, name) error('undeclared ' .. name, 2) end })\nleaked = 1", qr/undeclared leaked/],
    ) {
        my ($what, $source, $error, $line) = @$bad;
        $nginx->write('lua/app.lua', $source);
        my ($status, $reply) = publish($nginx);
        is $status, 409, "$what: rejected" or diag explain $reply;
        like $reply->{error} // '', $error, "$what: why";
        like $reply->{file} // '', qr{lua/app\.lua$}, "$what: file";
        is $reply->{line}, $line // 2, "$what: line";
        is $nginx->answers('/app'), $version, "$what: the old one goes on";
        is $nginx->answers('/global'), 'niltrue', "$what: leaves no global";
        $version++;
        $nginx->write('lua/app.lua', "return { version = $version }");
        ($status, $reply) = publish($nginx);
        is $status, 200, "$what: a good one is taken after it" or diag explain $reply;
        is $nginx->answers('/app'), $version, "$what: by both workers";
    }
    $nginx->write('lua/app.lua', "\nreturn require('other')");
    $nginx->write('lua/other.lua', "return require('app')");
    my ($status, $reply) = publish($nginx);
    is $status, 409, 'two that require each other: rejected';
    like $reply->{error}, qr/loop or previous error loading module/, 'and why';
    is $nginx->answers('/app'), $version, 'the old one goes on';

    for my $good (
        ['10,000 calls deep', "local function f(n) if n == 0 then return 0 end return 1 + f(n - 1) end return { version = f(10000) }", 10000],
        ['nothing', 'local x = 1', 'true'],
        ['nil', 'return nil', 'true'],
        ['false', 'return false', 'false'],
        ['sets package.loaded', 'package.loaded[...] = { version = "set" }', 'set'],
        ['module()', 'module(...) version = "of module"', 'of module'],
        ['package.seeall', 'module(..., package.seeall) version = tostring(ngx ~= nil)', 'true'],
        ['a coroutine that is left', 'local c = coroutine.create(coroutine.yield) coroutine.resume(c) return { version = "left", c = c }', 'left'],
        ['strict globals', 'setmetatable(_G, { __newindex = function(_, n) error(n, 2) end }) return { version = "strict" }', 'strict'],
        ['a global under them', 'rawset(_G, "leaked", "own") return { version = "raw" }', 'raw'],
    ) {
        my ($what, $source, $want) = @$good;
        $nginx->write('lua/app.lua', $source);
        my ($status, $reply) = publish($nginx);
        is $status, 200, "$what: taken" or diag explain $reply;
        is $nginx->answers('/app'), $want, "$what: in both workers";
    }
    is_deeply [sort $nginx->worker_pids], \@workers, 'the workers are the same';
    is_deeply [lines_like($nginx, qr/\[(?:alert|emerg|crit)\]/)], [], 'nothing alarming in the log';
    $nginx->stop;
};

done_testing;
