# Pools are a worker's: they belong to no code, no VM and no request, and end with the worker.
use strict;
use warnings;
use lib 't/lib';

use Test::More;

use HotLua::Lines;
use HotLua::Nginx;

my $peer = HotLua::Lines->start;
my $CONNECT = <<"LUA";
    local sock = ngx.socket.tcp()
    assert(sock:connect("127.0.0.1", $peer->{port}))
    assert(sock:send("hello\\n"))
    local number = assert(sock:receive()):match("^%d+")
LUA

sub module_of {
    my ($version) = @_;
    return <<"LUA";
return function()
$CONNECT
    local times = sock:getreusedtimes()
    assert(sock:setkeepalive(0, 10))
    return "version $version connection " .. number .. " used again " .. times
end
LUA
}

my $nginx = HotLua::Nginx->new(
    workers => 1,
    files   => { 'lua/app.lua' => module_of(1) },
    http    => 'lua_package_path "%ROOT%/lua/?.lua;;"; hotlua_root %ROOT%/lua;',
    server  => <<'CONF',
        location = /app { content_by_lua_block { ngx.say(require("app")()) } }
        location = /fresh { lua_code_cache off; content_by_lua_block { ngx.say(require("app")()) } }
        location = /holds {
            lua_http10_buffering off;
            content_by_lua_block {
                local app = require "app"
                ngx.say("holds")
                ngx.flush(true)
                repeat
                    ngx.sleep(0.005)
                    local go = io.open("%ROOT%/marks/go")
                    if go then go:close() end
                until go
                ngx.say(app())
            }
        }
CONF
);

# A request of /holds that has begun.
sub hold {
    unlink "$nginx->{root}/marks/go";
    my $held = $nginx->begin('/holds');
    my $head = '';
    until ($head =~ /holds\n/) { sysread $held, $head, 4096, length $head or last }
    return $held;
}

# What it answers once it may go on.
sub finish {
    my ($held) = @_;
    $nginx->write('marks/go', '');
    return $nginx->finish($held);
}

my ($number) = $nginx->get('/app') =~ /^version 1 connection (\d+) used again 0$/;
ok $number, 'a first connection';

# Code that was published, and the generation before, which a request still runs.
my $held = hold();
$nginx->write('lua/app.lua', module_of(2));
is +($nginx->publish)[0], 200, 'published';
is $nginx->get('/app'), "version 2 connection $number used again 1\n", 'the new code uses the connection of the old one';
is finish($held), "version 1 connection $number used again 2\n",
    'the old code, that of the new one';
$nginx->write('lua/app.lua', module_of($_)), $nginx->publish for 3 .. 12;
is $nginx->get('/app'), "version 12 connection $number used again 3\n", 'after ten more changes it is still there';

# A VM of the request's own comes and goes.
like $nginx->get('/fresh'), qr/ connection $number used again 4$/, 'a request without the code cache uses it too';
is $nginx->get('/app'), "version 12 connection $number used again 5\n", 'and leaves it to others';
is $peer->open_connections, 1, 'one connection served them all';

# A worker that ends closes what rests, and waits for nothing.
$nginx->reload;
$nginx->wait_for('the connections of the worker before to be closed', sub { $peer->open_connections == 0 });
pass 'a worker that has ended has closed its connections';
my ($next) = $nginx->get('/app') =~ / connection (\d+) used again 0$/;
isnt $next, $number, 'the next worker has its own';

# What is in use then is not put away any more.
$held = hold();
$nginx->reload;
like finish($held), qr/ used again [01]$/, 'a request of a worker that drains ends as ever';
$nginx->wait_for('its connection to be closed', sub { $peer->open_connections == 0 });
$nginx->stop;
unlike $nginx->error_log, qr/open socket|panicked|\[error\]/, 'no socket is left behind';

done_testing;
