# lua_check_client_abort and ngx.on_abort: a client that leaves while Lua waits.
use strict;
use warnings;
use lib 't/lib';

use IO::Socket::INET;
use Test::More;

use HotLua::Nginx;

my $nginx = HotLua::Nginx->new(
    workers => 1,
    http => 'log_format end "$uri $status";',
    server => <<'CONF',
        access_log logs/access.log end;
        # Waits until the test lets it go.
        location ~ ^/(?<kind>watched|left|early)/(?<name>\w+)$ {
            set $watched $kind;
            if ($kind = watched) {
                lua_check_client_abort on;
                content_by_lua_file %ROOT%/lua/waits.lua;
            }
            content_by_lua_file %ROOT%/lua/waits.lua;
        }
        location ~ ^/rewrite/(?<name>\w+)$ {
            lua_check_client_abort on;
            rewrite_by_lua_file %ROOT%/lua/waits.lua;
        }
        location = /off {
            content_by_lua_block {
                ngx.say(ngx.on_abort(function() end))
                ngx.say(ngx.on_abort())
            }
        }
        location = /wrong {
            lua_check_client_abort on;
            content_by_lua_block {
                for _, callback in ipairs { 1, string.rep, {} } do
                    local ok, err = pcall(function() local _ = ngx.on_abort(callback) end)
                    ngx.say((err:gsub("^.-:%d+: ", "")))
                end
            }
        }
        location = /reads {
            content_by_lua_block {
                ngx.log(ngx.WARN, "/reads began")
                ngx.req.read_body()
                ngx.log(ngx.WARN, "/reads went on")
            }
        }
        # Calls back; then, for /told/exits, ends the request.
        location ~ ^/told/(?<name>\w+)$ {
            lua_check_client_abort on;
            content_by_lua_block {
                local name = ngx.var.name
                ngx.on_abort(function()
                    ngx.sleep(0.001)
                    ngx.log(ngx.WARN, ngx.var.uri, " was told")
                    if name == "exits" then ngx.exit(499) end
                end)
                ngx.log(ngx.WARN, ngx.var.uri, " second: ", select(2, ngx.on_abort(function() end)))
                ngx.log(ngx.WARN, ngx.var.uri, " began")
                while not io.open(ngx.config.prefix() .. "marks/told_" .. name) do ngx.sleep(0.01) end
                ngx.log(ngx.WARN, ngx.var.uri, " went on")
                ngx.say("done")
            }
        }
        location = /quick { content_by_lua_block { ngx.say("quick") } }
CONF
    files => { 'lua/waits.lua' => <<'LUA' },
ngx.log(ngx.WARN, ngx.var.uri, " began")
while not io.open(ngx.config.prefix() .. "marks/" .. ngx.var.name) do ngx.sleep(0.01) end
ngx.log(ngx.WARN, ngx.var.uri, " went on")
ngx.say("done")
LUA
);

# Sends a request and more; when this returns its Lua waits.
sub begin {
    my ($path, $more) = @_;
    my $socket = IO::Socket::INET->new("127.0.0.1:$nginx->{port}") or die "connect: $@";
    print $socket "GET $path HTTP/1.1\r\nHost: test\r\n\r\n" . ($more // '');
    $socket->flush;
    $nginx->wait_for("$path", sub { $nginx->error_log =~ m{\Q$path\E began} });
    return $socket;
}

sub ended { my ($what) = @_; return HotLua::Nginx::slurp("$nginx->{root}/logs/access.log") =~ m{^\Q$what\E$}m }

sub is_ended {
    my ($path, $how) = @_;
    my $ended = eval { $nginx->wait_for("the end of $path", sub { ended("$path 499") }) };
    ok $ended, "$how ends the request";
    unlike $nginx->error_log, qr{\Q$path\E went on}, 'and its Lua';
    like $nginx->error_log, qr{\[info\].*client prematurely closed connection.*\Q$path\E }, 'which the log tells';
    return;
}

subtest 'watched' => sub {
    begin('/watched/closed')->close;
    is_ended('/watched/closed', 'a closed connection');
    begin('/watched/behind', "GET /quick HTTP/1.1\r\nHost: test\r\n\r\n")->close;
    is_ended('/watched/behind', 'one with a further request on it');
    begin('/rewrite/closed')->close;
    is_ended('/rewrite/closed', 'one that is closed in an earlier phase');
    my $here = begin('/watched/here');
    $nginx->write('marks/here', '');
    like do { local $/ = "done\n"; <$here> }, qr/^HTTP\/1.1 200/, 'a client that stays gets its answer';
};

subtest 'while its body is read' => sub {
    my $socket = IO::Socket::INET->new("127.0.0.1:$nginx->{port}") or die "connect: $@";
    print $socket "POST /reads HTTP/1.1\r\nHost: test\r\nContent-Length: 10\r\n\r\nhalf";
    $socket->flush;
    $nginx->wait_for('/reads', sub { $nginx->error_log =~ m{/reads began} });
    $socket->close;
    $nginx->wait_for('the end of /reads', sub { ended('/reads 400') });
    unlike $nginx->error_log, qr{/reads went on}, 'ends the Lua too';
};

subtest 'not watched' => sub {
    begin('/left/closed')->close;
    $nginx->get('/quick');
    $nginx->write('marks/closed', '');
    $nginx->wait_for('the Lua', sub { $nginx->error_log =~ m{/left/closed went on} });
    ok !ended('/left/closed 499'), 'the Lua goes on';
};

subtest 'a pipelined request is answered after one that was watched' => sub {
    my $both = begin('/watched/both', "GET /quick HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n");
    $nginx->write('marks/both', '');
    my $answers = do { local $/; <$both> };
    like $answers, qr/done\n.*quick\n/s, 'in order';
};

subtest 'HTTP/2' => sub {
    plan skip_all => 'no curl that knows it' if `curl --version 2>&1` !~ /HTTP2/;
    my $port = HotLua::Nginx::free_port();
    my $two = HotLua::Nginx->new(
        workers => 1,
        http => "log_format end \"\$uri \$status\";
            server { listen 127.0.0.1:$port http2; access_log logs/access.log end;
                location / { lua_check_client_abort on; content_by_lua_file %ROOT%/lua/waits.lua; } }",
        files => { 'lua/waits.lua' => 'ngx.log(ngx.WARN, "began") ngx.sleep(60)' },
    );
    my $pid = fork // die "fork: $!";
    if (!$pid) { open STDERR, '>', '/dev/null'; exec qw(curl -s --http2-prior-knowledge), "http://127.0.0.1:$port/two" }
    $two->wait_for('the request', sub { $two->error_log =~ /began/ });
    kill KILL => $pid;
    waitpid $pid, 0;
    ok eval { $two->wait_for('its end', sub { HotLua::Nginx::slurp("$two->{root}/logs/access.log") =~ m{^/two 499$}m }) },
        'a stream that is closed ends its request';
    unlike $two->error_log, qr/\[(?:error|alert|emerg|crit)\]/, 'nothing alarming in the log';
};

subtest 'on_abort' => sub {
    is $nginx->get('/off'), "nillua_check_client_abort is off\n" x 2, 'needs lua_check_client_abort';
    begin('/told/exits')->close;
    $nginx->wait_for('the end of /told/exits', sub { ended('/told/exits 499') });
    like $nginx->error_log, qr{/told/exits was told}, 'the callback has run';
    unlike $nginx->error_log, qr{/told/exits went on}, 'and has ended the request';
    like $nginx->error_log, qr{/told/exits second: duplicate call}, 'there is one callback';
    begin('/told/stays')->close;
    $nginx->wait_for('the callback', sub { $nginx->error_log =~ m{/told/stays was told} });
    $nginx->write('marks/told_stays', '');
    $nginx->wait_for('the Lua', sub { $nginx->error_log =~ m{/told/stays went on} });
    pass 'where the callback does not end it the request goes on';
    $nginx->write('marks/told_here', '');
    is $nginx->get('/told/here'), "done\n", 'a client that stays gets its answer';
    unlike $nginx->error_log, qr{/told/here was told}, 'without the callback';
    is $nginx->get('/wrong'), "bad argument #1 to 'on_abort' (Lua function expected)\n" x 3, 'wants a Lua function';
};

unlike $nginx->error_log, qr/\[(?:error|alert|emerg|crit)\]/, 'nothing alarming in the log';
done_testing;
