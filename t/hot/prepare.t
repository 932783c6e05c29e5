# Preparing a candidate in workers that serve requests meanwhile: what it must not hinder, end or leave behind.
use strict;
use warnings;
use lib 't/lib';

use Test::More;

use HotLua::Nginx;

# Runs CODE in a process of its own, which must not stop nginx; returns its process.
sub beside {
    my ($nginx, $code) = @_;
    my $pid = fork // die "fork: $!";
    return $pid if $pid;
    delete $nginx->{pid};
    POSIX::_exit($code->() ? 0 : 1);
}

sub succeeded { my ($pid) = @_; waitpid $pid, 0; return $? == 0 }

my $states = <<'LUA';
local state = require("hotlua").state
ngx.say(ngx.var.pid)
LUA

my $nginx = HotLua::Nginx->new(
    http => 'lua_package_path "%ROOT%/lua/?.lua;;"; hotlua_root %ROOT%/lua;',
    server => <<"CONF",
        location = /app { content_by_lua_block { ngx.say(ngx.var.pid) ngx.print(require("app").version) } }
        location = /other { content_by_lua_block { ngx.say(ngx.var.pid) ngx.print(require("other").version) } }
        location = /go {
            content_by_lua_block {
                $states
                local version = require("app").version
                if state("loading") then state("go", function() return version end) end
                ngx.print(tostring(state("go")))
            }
        }
        location = /setting {
            content_by_lua_block { ngx.say(ngx.var.pid) ngx.print(tostring(setting), " ", tostring(fresh)) }
        }
        location = /pinned {
            content_by_lua_block {
                local state = require("hotlua").state
                local before = tostring(setting) .. " " .. tostring(fresh)
                state("pinned", function() return true end)
                repeat ngx.sleep(0.005) until state("flipped")
                ngx.print(before, " ", tostring(setting), " ", tostring(fresh))
            }
        }
        location = /is_pinned { content_by_lua_block { $states ngx.print(tostring(state("pinned"))) } }
        location = /flipped { content_by_lua_block { $states state("flipped", function() return true end) } }
        location = /retired {
            content_by_lua_block {
                $states
                ngx.print(table.concat(state("retired", function() return {} end), " "))
            }
        }
CONF
    files => {
        'lua/app.lua' => 'setting = "old" return { version = "old" }',
        'lua/other.lua' => 'return { version = 1 }',
    },
);

subtest 'a worker answers while a module loads' => sub {
    is $nginx->answers('/app'), 'old', 'both workers have the first version';
    # It does not end before a request of the same worker has seen it loading.
    $nginx->write('lua/app.lua', <<'LUA');
local state = require("hotlua").state
state("loading", function() return true end)
local rounds = 0
while not state("go") do rounds = rounds + 1 end
setting, fresh = "new", "set"
return { version = "new" }
LUA
    my $change = beside($nginx, sub { my ($status) = $nginx->invalidate('module=app'); $status == 200 });
    $nginx->wait_for('each worker to answer while it loads', sub { $nginx->answers('/go') eq 'old' });
    ok succeeded($change), 'the change was accepted';
    is $nginx->answers('/app'), 'new', 'both workers have the second version';
    is $nginx->answers('/go'), 'old', 'what answered meanwhile was the version before';
    is $nginx->answers('/setting'), 'new set', 'the globals are those of the second';
};

subtest 'globals of a generation' => sub {
    my $pinned = beside($nginx, sub { my $saw = $nginx->get('/pinned'); diag $saw; $saw eq 'new set new set' });
    $nginx->wait_for('the request to be pinned', sub { $nginx->answers('/is_pinned') =~ /true/ });
    $nginx->write('lua/app.lua', 'setting, fresh = "newest", nil return { version = "newest" }');
    my ($status) = $nginx->invalidate('module=app');
    is $status, 200, 'changed';
    is $nginx->answers('/setting'), 'newest nil', 'new requests see the new ones';
    $nginx->write('lua/app.lua', 'setting, fresh = "never", "never" error("no way")');
    ($status) = $nginx->invalidate('module=app');
    is $status, 409, 'rejected';
    is $nginx->answers('/setting'), 'newest nil', 'a rejected candidate leaves none';
    $nginx->ask_all('/flipped');
    ok succeeded($pinned), 'a request that was pinned before saw its own until its end';
    is $nginx->answers('/setting'), 'newest nil', 'it left nothing either';
};

subtest 'on_retire' => sub {
    my $source = <<'LUA';
local hotlua = require "hotlua"
local retired = hotlua.state("retired", function() return {} end)
hotlua.on_retire(function() retired[#retired + 1] = "VERSION" end)
return { version = "VERSION" }
LUA
    my $write = sub {
        my ($version, $end) = @_;
        (my $text = $source) =~ s/VERSION/$version/g;
        $text =~ s/^return/$end\nreturn/m if $end;
        $nginx->write('lua/app.lua', $text);
    };
    my $retired = sub {
        my ($want) = @_;
        $nginx->wait_for("[$want] to have retired", sub { $nginx->answers('/retired') eq $want });
    };
    $nginx->answers('/other');
    $write->('one');
    is +($nginx->invalidate('module=app'))[0], 200, 'a module with a callback';
    $nginx->write('lua/other.lua', 'return { version = 2 }');
    is +($nginx->invalidate('module=other'))[0], 200, 'another module changes';
    $write->('broken', 'error("no way")');
    is +($nginx->invalidate('module=app'))[0], 409, 'a candidate is rejected';
    $write->('two');
    is +($nginx->invalidate('module=app'))[0], 200, 'the module itself changes';
    $retired->('one');
    $write->('three');
    is +($nginx->invalidate('module=app'))[0], 200, 'and again';
    $retired->('one two');
    pass 'each instance was told once, in each worker, when its last generation went';
};

unlike $nginx->error_log, qr/\[(?:alert|emerg|crit)\]/, 'nothing alarming in the log';
$nginx->stop;

$nginx = HotLua::Nginx->new(
    http => 'lua_package_path "%ROOT%/lua/?.lua;;"; hotlua_root %ROOT%/lua; hotlua_prepare_timeout 500ms;',
    server => <<'CONF',
        location = /app { content_by_lua_block { ngx.say(ngx.var.pid) ngx.print(require("app").version) } }
        location = /global { content_by_lua_block { ngx.say(ngx.var.pid) ngx.print(tostring(leaked)) } }
CONF
    files => { 'lua/app.lua' => 'return { version = 1 }' },
);

subtest 'what must not happen while a module loads' => sub {
    is $nginx->answers('/app'), '1', 'both workers have the first version';
    my @workers = sort $nginx->worker_pids;
    for my $bad (
        ['a loop', "leaked = 1\nwhile true do end", 2, qr/took longer/],
        ['a loop of pcalls', "\nwhile true do pcall(function() while true do end end) end", 2, qr/took longer/],
        ['a loop in a callback', "leaked = 1\nlocal n = ('x'):gsub('.', function() while true do end end)", 2, qr/took longer/],
        ['a loop in a coroutine', "coroutine.wrap(function()\nwhile true do end end)()", 2, qr/took longer/],
        ['os.exit', "leaked = 1\n\nos.exit(0)", 3, qr/os\.exit\(\) while a module is loaded/],
        ['a yield', "leaked = 1\ncoroutine.yield()", 2, qr/attempt to yield while loading a module/],
        ['a sleep', "leaked = 1\nngx.sleep(0.01)", 2, qr/./],
    ) {
        my ($name, $source, $line, $error) = @$bad;
        $nginx->write('lua/app.lua', $source);
        my ($status, $reply) = $nginx->invalidate('module=app');
        is $status, 409, "$name: rejected" or diag explain $reply;
        like $reply->{error}, $error, "$name: why";
        like $reply->{file} // '', qr{lua/app\.lua$}, "$name: file";
        is $reply->{line}, $line, "$name: line";
        is $nginx->answers('/app'), '1', "$name: the last good goes on";
        is $nginx->answers('/global'), 'nil', "$name: leaves no global";
    }
    is_deeply [sort $nginx->worker_pids], \@workers, 'the workers are the same';
    $nginx->write('lua/app.lua', 'return { version = 2 }');
    my ($status) = $nginx->invalidate('module=app');
    is $status, 200, 'a fixed one is taken';
    is $nginx->answers('/app'), '2', 'by both workers';
};

unlike $nginx->error_log, qr/\[(?:alert|emerg|crit)\]/, 'nothing alarming in the log';
$nginx->stop;
done_testing;
