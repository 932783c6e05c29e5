# A semaphore that outlives generations: requests of older code and of newer wait in one queue, each with its own code.
use strict;
use warnings;
use lib 't/lib';

use Test::More;

use HotLua::Nginx;

my $nginx = HotLua::Nginx->new(
    workers => 1,
    http => 'lua_package_path "%ROOT%/lua/?.lua;;"; hotlua_root %ROOT%/lua;',
    server => <<'CONF',
        location = /wait { content_by_lua_block { require("app").wait() } }
        location = /post { content_by_lua_block { require("app").semaphore:post(2) } }
        location = /count { content_by_lua_block { ngx.print(require("app").semaphore:count()) } }
CONF
    files => { 'lua/app.lua' => version(1), 'lua/other.lua' => 'return 1' },
);

sub version {
    my ($version) = @_;
    return <<"LUA";
local app = {}
app.semaphore = require("hotlua").state("queue", function() return require("ngx.semaphore").new() end)
function app.wait()
    local ok = app.semaphore:wait(10)
    ngx.print("version $version: ", ok, ", ", require("other"))
end
return app
LUA
}

my $older = $nginx->begin('/wait');
$nginx->wait_for('one that waits', sub { $nginx->get('/count') == -1 });
$nginx->write('lua/app.lua', version(2));
$nginx->write('lua/other.lua', 'return 2');
is +($nginx->publish)[0], 200, 'a change while one waits';
my $newer = $nginx->begin('/wait');
$nginx->wait_for('another one', sub { $nginx->get('/count') == -2 });
is_deeply $nginx->status->{workers}[0]{pinned}, { 1 => 1 }, 'the first keeps its generation';
$nginx->get('/post');
is $nginx->finish($older), 'version 1: true, 1', 'newer code wakes one of older code, which goes on with that';
is $nginx->finish($newer), 'version 2: true, 2', 'and one of its own';
is $nginx->get('/count'), 0, 'nothing is left';
ok $nginx->wait_for('the end of the old generation', sub { !%{ $nginx->status->{workers}[0]{pinned} } }), 'the old code goes';
unlike $nginx->error_log, qr/\[(?:error|alert|crit|emerg)\]/, 'nothing bad was logged';

done_testing;
