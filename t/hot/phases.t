# One version a request: all of its phases run the code that its first Lua ran, whatever is published meanwhile.
use strict;
use warnings;
use lib 't/lib';

use Test::More;

use HotLua::Nginx;

my @PHASES = qw(server_rewrite set rewrite access precontent content header_filter body_filter log);

# What each phase's file notes of itself and of a module that it requires.
sub file_of {
    my ($phase, $version) = @_;
    my $note = "ngx.ctx.seen = (ngx.ctx.seen or '') .. ' $phase$version' .. require('app').version";
    return {
        set => "return '$version' .. require('app').version",
        rewrite => <<"LUA",
$note
if ngx.var.arg_name then
    io.open("%ROOT%/marks/held." .. ngx.var.arg_name, "w"):close()
    while not io.open("%ROOT%/marks/go." .. ngx.var.arg_name) do ngx.sleep(0.005) end
end
LUA
        content => "$note ngx.ctx.seen = ngx.ctx.seen .. ' set' .. ngx.var.set ngx.print('body')",
        body_filter => <<"LUA",
if not ngx.ctx.filtered then
    ngx.ctx.filtered = true
    $note
    ngx.arg[1] = ngx.arg[1] .. ngx.ctx.seen
end
LUA
        log => <<"LUA",
local file = io.open("%ROOT%/marks/logged." .. (ngx.var.arg_name or "now"), "w")
file:write('$version', require('app').version)
file:close()
LUA
    }->{$phase} // $note;
}

sub write_version {
    my ($nginx, $version) = @_;
    $nginx->write('lua/app.lua', "return { version = '$version' }");
    $nginx->write("lua/$_.lua", file_of($_, $version) =~ s/%ROOT%/$nginx->{root}/gr) for @PHASES;
    return;
}

# The body of an answer whose Lua was all of one version.
sub all_of {
    my ($version) = @_;
    my $set = "$version$version";
    my @noted = map { $_ eq 'content' ? ("content$version$version", "set$set") : "$_$version$version" }
        grep { $_ ne 'log' && $_ ne 'set' } @PHASES;
    return join ' ', 'body', @noted;
}

my $nginx = HotLua::Nginx->new(
    http => 'lua_package_path "%ROOT%/lua/?.lua;;"; hotlua_root %ROOT%/lua;',
    server => <<'CONF',
    location /t {
        set_by_lua_file $set lua/set.lua;
        rewrite_by_lua_file lua/rewrite.lua;
        access_by_lua_file lua/access.lua;
        precontent_by_lua_file lua/precontent.lua;
        content_by_lua_file lua/content.lua;
        header_filter_by_lua_file lua/header_filter.lua;
        body_filter_by_lua_file lua/body_filter.lua;
        log_by_lua_file lua/log.lua;
    }
    server_rewrite_by_lua_file lua/server_rewrite.lua;
CONF
    files => { map { ("lua/$_.lua" => "return { version = '' }") } 'app', @PHASES },
);

sub logged {
    my ($name) = @_;
    my $path = "$nginx->{root}/marks/logged.$name";
    return $nginx->wait_for("the log of $name", sub { HotLua::Nginx::slurp($path) });
}

sub hold {
    my ($name) = @_;
    my $request = $nginx->begin("/t?name=$name");
    $nginx->wait_for('the request to be held', sub { -e "$nginx->{root}/marks/held.$name" });
    return $request;
}

sub go {
    my ($name, $request) = @_;
    open my $mark, '>', "$nginx->{root}/marks/go.$name" or die $!;
    return $nginx->finish($request);
}

write_version($nginx, 1);
my ($status) = $nginx->publish;
is $status, 200, 'version 1 is published';
is $nginx->get('/t'), all_of(1), 'all of version 1';
is logged('now'), '11', 'its log too';

my $held = hold('a');
write_version($nginx, 2);
is +($nginx->publish)[0], 200, 'version 2 is published';
is $nginx->get('/t'), all_of(2), 'a new request is all of version 2';
is go('a', $held), all_of(1), 'the one that began before is all of version 1';
is logged('a'), '11', 'its log too';

$held = hold('b');
is +($nginx->rollback)[0], 200, 'rolled back';
is $nginx->get('/t'), all_of(1), 'a new request is all of version 1 again';
is go('b', $held), all_of(2), 'the one that began before is all of version 2';
is logged('b'), '22', 'its log too';

$nginx->write('lua/header_filter.lua', 'local = 1');
my ($rejected, $reply) = $nginx->publish;
is $rejected, 409, 'a filter that does not compile rejects the candidate';
like $reply->{file}, qr/header_filter\.lua$/, 'and is named';
is $nginx->get('/t'), all_of(1), 'the last good version stays';

unlike $nginx->error_log, qr/\[(?:alert|emerg|crit|error)\](?!.*header_filter\.lua)/, 'nothing went wrong';

done_testing;
