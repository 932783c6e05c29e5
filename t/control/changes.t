# What publish and rollback do and answer, against two workers.
use strict;
use warnings;
use lib 't/lib';

use Test::More;

use HotLua::Nginx;

my $nginx = HotLua::Nginx->new(
    http => 'hotlua_root %ROOT%/lua; lua_package_path "%ROOT%/lua/?.lua;;"; hotlua_keep 2;',
    server => <<'CONF',
        location = /app { content_by_lua_block { ngx.say(ngx.var.pid) ngx.print(require("app").text) } }
CONF
    files => {
        'lua/base.lua' => 'return { version = 1 }',
        'lua/app.lua' => 'local base = require "base" return { text = "base " .. base.version }',
    },
);

sub publish { my ($query) = @_; return $nginx->control(POST => 'publish' . ($query ? "?$query" : '')) }
sub rollback { my ($query) = @_; return $nginx->control(POST => 'rollback' . ($query ? "?$query" : '')) }
sub newest { return ($nginx->control(GET => 'generations'))[1][0] }

is $nginx->answers('/app'), 'base 1', 'the first version';
my $first = $nginx->status->{generation};

subtest 'nothing to publish' => sub {
    my ($status, $reply) = publish();
    is $status, 200, 'accepted';
    is_deeply $reply, { generation => $first, changed => [], reloaded => [] }, 'it is the same generation';
};

my $second;
subtest 'a changed file' => sub {
    $nginx->write('lua/base.lua', 'return { version = 2 }');
    my ($status, $reply) = publish('reason=release+%22two%22');
    is $status, 200, 'accepted' or diag explain $reply;
    $second = $reply->{generation} // 0;
    cmp_ok $second, '>', $first, 'it is a new generation';
    is_deeply $reply->{changed}, ['base.lua'], 'what changed, relative to its root';
    is_deeply $reply->{reloaded}, ['base', 'app'], 'the module, then its dependent';
    is $nginx->answers('/app'), 'base 2', 'both workers have it';
    my $told = newest();
    is $told->{generation}, $second, 'the list of generations begins with it';
    is $told->{state}, 'active', 'as active';
    is $told->{reason}, 'release "two"', 'and keeps the reason';
    like $told->{actor}, qr/^control 127\./, 'and who asked';
    is_deeply $told->{changed}, ['base.lua'], 'and what changed';
};

subtest 'a broken file' => sub {
    $nginx->write('lua/base.lua', "return {\n  version = = 3 }");
    my ($status, $reply) = publish();
    is $status, 409, 'rejected';
    like $reply->{error}, qr/unexpected symbol/, 'why';
    like $reply->{file}, qr{base\.lua$}, 'the file';
    is $reply->{line}, 2, 'the line';
    is $nginx->answers('/app'), 'base 2', 'the last good goes on';
    is newest()->{state}, 'rejected', 'the list tells of it';
    is newest()->{line}, 2, 'with the line';
};

subtest 'the one before' => sub {
    my ($status, $reply) = rollback();
    is $status, 200, 'accepted' or diag explain $reply;
    is $reply->{restored}, $first, 'it restores the generation before';
    cmp_ok $reply->{generation}, '>', $second, 'under a number of its own';
    is_deeply [sort @{ $reply->{reloaded} // [] }], ['app', 'base'], 'and tells what was reloaded';
    is $nginx->answers('/app'), 'base 1', 'both workers have it';
};

subtest 'a named one' => sub {
    my ($status, $reply) = rollback("to=$second");
    is $status, 200, 'accepted' or diag explain $reply;
    is $reply->{restored}, $second, 'it restores that';
    is $nginx->answers('/app'), 'base 2', 'both workers have it';
};

subtest 'one that there is not' => sub {
    my $active = $nginx->status->{generation};
    my ($status, $reply) = rollback('to=100000');
    is $status, 404, 'not found';
    like $reply->{error}, qr/100000/, 'the error names it';
    is $nginx->status->{generation}, $active, 'nothing changed';
};

$nginx->stop;
done_testing;
