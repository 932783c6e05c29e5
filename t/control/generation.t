# The number that $hotlua_generation shows is the one that the control API tells of.
use strict;
use warnings;
use lib 't/lib';

use Test::More;

use HotLua::Nginx;

my $nginx = HotLua::Nginx->new(
    http => 'hotlua_root %ROOT%/lua; lua_package_path "%ROOT%/lua/?.lua;;";',
    server => <<'CONF',
        location = /t { content_by_lua_block { require "app" ngx.say(ngx.var.pid) ngx.print(ngx.var.hotlua_generation) } }
CONF
    files => { 'lua/app.lua' => 'return 1' },
);

my $first = $nginx->status->{generation};
is $nginx->answers('/t'), $first, 'both workers show the active generation';

$nginx->write('lua/app.lua', 'return 2');
my ($status, $reply) = $nginx->invalidate('module=app');
is $status, 200, 'a change' or diag explain $reply;
cmp_ok $reply->{generation}, '>', $first, 'makes a generation';
is $nginx->answers('/t'), $reply->{generation}, 'which both show';

$nginx->write('lua/app.lua', 'return (');
($status) = $nginx->invalidate('module=app');
is $status, 409, 'a rejected change';
is $nginx->answers('/t'), $reply->{generation}, 'leaves the number';
my ($rejected) = @{ ($nginx->control(GET => 'generations'))[1] };
is $rejected->{state}, 'rejected', 'the list of generations has it';
like $rejected->{file}, qr{/lua/app\.lua$}, 'with the file that is to blame';
is $rejected->{line}, 1, 'and the line in it';

$nginx->stop;
done_testing;
