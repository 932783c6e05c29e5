# Lua in threads and hot loading: a call runs the code of its caller's generation, whatever is published meanwhile.
use strict;
use warnings;
use lib 't/lib';

use Test::More;

use HotLua::Nginx;

sub version { return "return { version = function() return '$_[0] ' .. require('parts.number') end }" }

my $nginx = HotLua::Nginx->new(
    workers => 1,
    http => 'lua_package_path "%ROOT%/lua/?.lua;;"; hotlua_root %ROOT%/lua; hotlua_keep 1; lua_shared_dict runs 1m;',
    server => <<'CONF',
        location = /version { content_by_lua_block { ngx.print(select(2, require("app").version())) } }
        location = /open { content_by_lua_block { open = true } }
        location = /waiting {
            content_by_lua_block {
                waiting, open = true, false
                ngx.print(select(2, require("app").version()), ", ")
                while not open do ngx.sleep(0.001) end
                ngx.print(select(2, require("app").version()), ", ", select(2, require("app").late()))
                waiting = false
            }
        }
        location = /is_waiting { content_by_lua_block { ngx.print(tostring(waiting)) } }
        location = /runs { content_by_lua_block { ngx.print(tostring(ngx.shared.runs:get(ngx.var.args))) } }
        location = /go { content_by_lua_block { ngx.shared.runs:set("go " .. ngx.var.args, true) } }
        location = /gone {
            content_by_lua_block {
                ngx.thread.spawn(require("app").slow, "gone")
                ngx.print("gone")
                ngx.exit(200)
            }
        }
        location = /slow { content_by_lua_block { ngx.print(select(2, require("app").slow("slow"))) } }
CONF
    main => 'thread_pool pool threads=3;',
    files => {
        'lua/app.lua' => <<'LUA',
local app = {}
function app.version() return ngx.run_worker_thread("pool", "versions", "version") end
function app.late() return ngx.run_worker_thread("pool", "late", "version") end
function app.slow(name) return ngx.run_worker_thread("pool", "slow", "version", name) end
return app
LUA
        'lua/versions.lua' => version(1),
        'lua/late.lua' => version('late 1'),
        'lua/parts/number.lua' => 'return 1',
        'lua/slow.lua' => <<'LUA',
local ffi = require "ffi"
ffi.cdef "int usleep(unsigned int);"
local runs = ngx.shared.runs
return {
    version = function(name)
        runs:set(name, "runs")
        while not runs:get("go " .. name) do ffi.C.usleep(1000) end
        local version = require("late").version()
        runs:set(name, version)
        return version
    end
}
LUA
    },
);

is $nginx->get('/version'), '1 1', 'the first version';
my $older = $nginx->begin('/waiting');
my $slow = $nginx->begin('/slow');
$nginx->wait_for('one that waits', sub { $nginx->get('/is_waiting') eq 'true' });
$nginx->wait_for('one whose thread runs', sub { $nginx->get('/runs?slow') eq 'runs' });

$nginx->write('lua/versions.lua', version(2));
$nginx->write('lua/late.lua', version('late 2'));
$nginx->write('lua/parts/number.lua', 'return 2');
is +($nginx->publish)[0], 200, 'a change';
is $nginx->get('/version'), '2 2', 'the next call has the new code, of modules that modules require too';
$nginx->get('/go?slow');
is $nginx->finish($slow), 'late 1 1', 'a thread that ran goes on with the code that it began with, and loads more of that';
ok exists $nginx->status->{workers}[0]{pinned}{1}, 'the first generation is kept for the one that waits';
$nginx->get('/open');
is $nginx->finish($older), '1 1, 1 1, late 1 1', 'whose calls run its own generation, also modules that only now load';
is $nginx->get('/version'), '2 2', 'others the newest';
ok $nginx->wait_for('the end of the first generation', sub { !%{ $nginx->status->{workers}[0]{pinned} } }), 'which goes';

is +($nginx->rollback)[0], 200, 'back';
is $nginx->get('/version'), '1 1', 'to the first version';

# A request that ends while its thread runs leaves that what it may still load.
is $nginx->get('/gone'), 'gone', 'a request that is gone before its thread';
$nginx->wait_for('its thread', sub { $nginx->get('/runs?gone') eq 'runs' });
for my $version (3, 4, 5) {
    $nginx->write('lua/versions.lua', version($version));
    $nginx->write('lua/late.lua', version("late $version"));
    is +($nginx->publish)[0], 200, "version $version";
    is $nginx->get('/version'), "$version 2", 'the newest code';
}
$nginx->get('/go?gone');
$nginx->wait_for('the end of the thread', sub { $nginx->get('/runs?gone') ne 'runs' });
is $nginx->get('/runs?gone'), 'late 1 1', 'the thread loads the code of its request';
ok $nginx->wait_for('the end of all older ones', sub { !%{ $nginx->status->{workers}[0]{pinned} } }), 'its generation goes too';

$nginx->write("lua/versions.lua", version($_)), $nginx->publish, $nginx->get('/version') eq "$_ 2" || fail "version $_" for 6 .. 30;
is $nginx->get('/version'), '30 2', 'many changes';
unlike $nginx->error_log, qr/\[(?:error|alert|crit|emerg)\]/, 'nothing bad was logged';

done_testing;
