# Files that content_by_sandbox_file runs are tenants': they live in generations, but reject nothing and are never trusted.
use strict;
use warnings;
use lib 't/lib';

use POSIX ();
use Test::More;

use HotLua::Nginx;

my $HTTP = <<'CONF';
    hotlua_sandbox tenants { allow ngx.print; }
    hotlua_root %ROOT%/lua;
    lua_package_path "%ROOT%/lua/?.lua;%ROOT%/tenants/?.lua;;";
CONF
my $SERVER = <<'CONF';
    add_header X-Pid $pid always;
    location ~ ^/t/(.+)$ { content_by_sandbox_file tenants %ROOT%/tenants/$1.lua; }
    location ~ ^/lua/(.+)$ { content_by_lua_file %ROOT%/lua/$1.lua; }
    location ~ ^/any/(.+)$ { content_by_lua_file $document_root/$1.lua; root %ROOT%; }
    location = /app { content_by_lua_block { ngx.say(ngx.var.pid) ngx.print(require("app").version) } }
    location = /require {
        content_by_lua_block {
            local ok, why = pcall(require, ngx.var.arg_module)
            ngx.say(ngx.var.pid) ngx.print(ok and "LOADED" or why)
        }
    }
    location = /publish {
        content_by_lua_block {
            local generation, why = require("hotlua").publish{ files = { [ngx.var.arg_file] = "return 1" } }
            ngx.print(generation or why)
        }
    }
    location = /invalidate {
        content_by_lua_block {
            local generation, why = require("hotlua").invalidate(ngx.var.arg_module)
            ngx.print(generation or why)
        }
    }
CONF

sub start {
    my (%option) = @_;
    return HotLua::Nginx->new(
        http => $HTTP . ($option{http} // ''),
        server => $SERVER . ($option{server} // ''),
        files => { 'lua/app.lua' => app(1), 'tenants/a.lua' => script('first'), %{ $option{files} // {} } },
        links => $option{links},
    );
}

sub app { my ($version) = @_; return "return { version = $version }" }

sub script { my ($version) = @_; return "ngx.print('$version')" }

# Bytecode that LuaJIT would crash on, or at least not like.
my $BYTECODE = "\x1bLJ\x02\x02\xff\xff\xff\x7f" . "\xff" x 64;

# What every worker answers: status and, of a script that ran, its version.
sub script_answers {
    my ($nginx, $path) = @_;
    my %answer;
    my @pids = $nginx->worker_pids;
    $nginx->wait_for("an answer of each of @pids to $path", sub {
        my $response = $nginx->request($path);
        my ($version) = $response->{content} =~ /(first|second|third)/;
        $answer{ $response->{headers}{'x-pid'} // '' } = $response->{status} . ($version ? " $version" : '');
        return !grep { !defined $answer{$_} } @pids;
    });
    my %seen = map { $_ => 1 } @answer{@pids};
    return join '|', sort keys %seen;
}

sub lines_like { my ($nginx, $pattern) = @_; return grep { /$pattern/ } split /\n/, $nginx->error_log }

sub huge {
    my ($nginx, $name) = @_;
    open my $file, '>', "$nginx->{root}/$name" or die "$name: $!";
    truncate $file, (64 << 20) + 1 or die "$name: $!";
    close $file or die "$name: $!";
    return;
}

my $alarming = qr/\[(?:alert|emerg|crit)\]/;

subtest 'a tenant rejects no candidate' => sub {
    my $nginx = start(files => { 'tenants/b.lua' => 'this is not Lua', 'tenants/code.lua' => $BYTECODE });
    my $number = $nginx->status->{generation};
    unlike $nginx->error_log, qr/does not compile/, 'the first generation takes them as bytes';
    is script_answers($nginx, '/t/a'), '200 first', 'a good one runs';
    my $tenants = "$nginx->{root}/tenants";
    $nginx->write('tenants/a.lua', script('second'));
    $nginx->write('tenants/b.lua', 'neither is ( this');
    $nginx->write('tenants/code.lua', "$BYTECODE more");
    $nginx->write('tenants/required.lua', 'require "app"');
    $nginx->write('lua/app.lua', app(2));
    huge($nginx, 'tenants/huge.lua');
    POSIX::mkfifo("$tenants/fifo.lua", 0644) or die $!;
    symlink '/etc/passwd', "$tenants/out.lua" or die $!;
    symlink '../lua/app.lua', "$tenants/up.lua" or die $!;
    symlink '..', "$tenants/loop" or die $!;
    symlink 'nowhere', "$tenants/dangling.lua" or die $!;
    my ($status, $reply) = $nginx->publish;
    is $status, 200, 'published' or diag explain $reply;
    is_deeply $reply->{changed}, [qw(app.lua a.lua b.lua code.lua required.lua)], 'what changed, the scripts too';
    is_deeply $reply->{reloaded}, [], 'nothing was loaded yet';
    is script_answers($nginx, '/t/a'), '200 second', 'all workers have the new script';
    is $nginx->answers('/app'), 2, 'and the new module';
    my ($warned) = lines_like($nginx, qr/\[warn\].*left out of the generation/);
    like $warned, qr/\Q$tenants\E\/$_/, "the log names it: $_" for
        'fifo.lua is a FIFO', 'huge.lua is larger than the limit', 'out.lua leads outside', 'up.lua leads outside';
    ($status, $reply) = $nginx->publish;
    is_deeply [$status, $reply->{changed}], [200, []], 'nothing more to publish';
    # Each worker tells it once.
    $nginx->publish for 1 .. 8;
    cmp_ok scalar(lines_like($nginx, qr/left out of the generation/)), '<=', 2, 'what is no news is not told again';
    is script_answers($nginx, "/t/$_"), 404, "/t/$_" for qw(huge fifo out up dangling loop/lua/app missing b/x);
    is script_answers($nginx, '/t/code'), 500, 'bytecode is an error of its request alone';
    like $nginx->error_log, qr/is bytecode; sandboxed scripts are source text/, 'and says so';

    # One that ran becomes unreadable for everybody.
    unlink "$tenants/a.lua" or die $!;
    POSIX::mkfifo("$tenants/a.lua", 0644) or die $!;
    $nginx->write('lua/app.lua', app(3));
    ($status, $reply) = $nginx->publish;
    is_deeply [$status, $reply->{changed}], [200, [qw(app.lua a.lua)]], 'a script that ran and is none any more';
    is script_answers($nginx, '/t/a'), 404, 'is not found';
    unlink "$tenants/$_" for 'a.lua', 'fifo.lua';
    rename $tenants, "$tenants.away" or die $!;
    $nginx->write('lua/app.lua', app(4));
    ($status, $reply) = $nginx->publish;
    is_deeply [$status, $reply->{changed}], [200, ['app.lua']], 'the directory is away: what was known stays';
    is $nginx->answers('/app'), 4, 'and the operator deploys';
    unlike $nginx->error_log, $alarming, 'nothing alarming in the log';
    $nginx->stop;
};

subtest 'a script is a file of a generation' => sub {
    my $nginx = start(files => { 'tenants/deep/x.lua' => script('first') });
    my $first = $nginx->status->{generation};
    is script_answers($nginx, '/t/new'), 404, 'not there';
    $nginx->write('tenants/new.lua', script('first'));
    is script_answers($nginx, '/t/new'), '200 first', 'a new one runs at once';
    $nginx->write("tenants/$_.lua", script('second')) for qw(a new deep/x);
    is script_answers($nginx, "/t/$_"), '200 first', "$_ is as the generation has it" for qw(a new deep/x);
    my ($status, $reply) = $nginx->publish;
    is_deeply $reply->{changed}, [qw(a.lua deep/x.lua new.lua)], 'published';
    is script_answers($nginx, "/t/$_"), '200 second', "$_: activated" for qw(a new deep/x);
    unlink "$nginx->{root}/tenants/new.lua" or die $!;
    is script_answers($nginx, '/t/new'), '200 second', 'a removed one runs until that is published';
    is_deeply +($nginx->publish)[1]{changed}, ['new.lua'], 'published';
    is script_answers($nginx, '/t/new'), 404, 'it is gone';
    is +($nginx->rollback)[0], 200, 'rolled back';
    is script_answers($nginx, '/t/new'), '200 second', 'it is back';
    is +($nginx->rollback("to=$first"))[0], 200, 'to the first one';
    is script_answers($nginx, "/t/$_"), '200 first', "$_: as it was" for qw(a new deep/x);
    unlike $nginx->error_log, $alarming, 'nothing alarming in the log';
    $nginx->stop;
};

subtest 'a script never runs as trusted code' => sub {
    my $nginx = start(
        files => {
            'tenants/evil.lua' => 'ngx.print("TRUSTED")',
            'lua/inside/evil.lua' => 'ngx.print("TRUSTED")',
            'tenants/json.lua' => 'error("TRUSTED")',
        },
        links => { 'lua/link.lua' => '../tenants/evil.lua', 'lua/sub.lua' => 'inside/evil.lua', 'lua/dir' => 'inside' },
        server => 'location ~ ^/i/(.+)$ { content_by_sandbox_file tenants %ROOT%/lua/inside/$1.lua; }',
    );
    for my $path (qw(/lua/inside/evil /lua/sub /lua/dir/evil /lua/link /any/tenants/evil)) {
        my $response = $nginx->request($path);
        is $response->{status}, 404, $path;
        unlike $response->{content}, qr/TRUSTED/, 'and its Lua did not run';
    }
    like $nginx->error_log, qr/inside\/evil\.lua": refused: the file is a sandboxed script/, 'the log says why';
    for my $module (qw(evil inside.evil sub dir.evil link)) {
        my $answers = $nginx->answers("/require?module=$module");
        unlike $answers, qr/LOADED|TRUSTED/, "require $module" or next;
        like $answers, qr/refused: the file is a sandboxed script|leads outside/, 'says why';
    }
    # A tenant's file beside: it neither hides the operator's module nor keeps it from being reloaded.
    is $nginx->answers('/app'), 1, 'the module';
    $nginx->write('tenants/app.lua', 'error("TRUSTED")');
    $nginx->write('lua/inside/app.lua', 'error("TRUSTED")');
    my ($status, $reply) = $nginx->publish;
    is_deeply [$status, $reply->{reloaded}], [200, []], 'scripts are no modules';
    $nginx->write('lua/app.lua', app(2));
    is_deeply +($nginx->publish)[1]{reloaded}, ['app'], 'a module is';
    is $nginx->answers('/app'), 2, 'the new one';
    for my $file (qw(inside/evil.lua inside/new.lua link.lua), map { "$nginx->{root}/$_" } qw(tenants/evil.lua lua/inside/x.lua)) {
        like $nginx->get("/publish?file=$file"), qr/is refused: the file is a sandboxed script/, "publish $file";
    }
    like $nginx->get("/invalidate?module=$_"), qr/module "\Q$_\E" is refused: the file is a sandboxed script/, "invalidate $_"
        for qw(evil inside.evil);
    is +($nginx->invalidate('module=evil'))[0], 409, 'by the control API';
    ($status, $reply) = $nginx->invalidate("file=$nginx->{root}/tenants/evil.lua");
    is $status, 200, 'a script can be reread by its name' or diag explain $reply;
    is_deeply $reply->{reloaded}, [], 'that reloads nothing';
    unlike $nginx->error_log, $alarming, 'nothing alarming in the log';
    $nginx->stop;
};

subtest 'tenants do not fill the zone' => sub {
    my $nginx = start(http => 'hotlua_zone 2m;');
    my @scripts = 'b10' .. 'b59';
    $nginx->write("tenants/$_.lua", "-- $_ " . 'x' x 60_000 . "\n" . script('first')) for @scripts;
    my ($status, $reply) = $nginx->publish;
    is $status, 200, 'published' or diag explain $reply;
    my @taken = @{ $reply->{changed} };
    cmp_ok scalar(@taken), '<', 25, "taken are @taken";
    like $nginx->error_log, qr/\[warn\].*left out of the generation: .*part of hotlua_zone/, 'the log says why';
    is script_answers($nginx, "/t/$_"), '200 first', "$_ runs all the same" for @scripts;
    # What comes last by its name has found no room.
    $nginx->write('tenants/b59.lua', script('second'));
    is script_answers($nginx, '/t/b59'), '200 second', 'what is in no generation is as the disk has it';
    $nginx->write('lua/app.lua', app(2) . ' -- ' . 'x' x 300_000);
    ($status, $reply) = $nginx->publish;
    is $status, 200, 'there is room for the operator' or diag explain $reply;
    is $nginx->answers('/app'), 2, 'in all workers';
    cmp_ok $nginx->status->{zone}{used}, '<', 1.6 * (1 << 20), 'and some is left';
    $nginx->stop;
};

subtest 'nor by their names' => sub {
    my $nginx = start(http => 'hotlua_zone 1m;');
    my $deep = join '/', ('d' x 200) x 12;
    # Half of them become known by requests, the other half by a publish.
    $nginx->write("tenants/$deep/$_.lua", script('first')) for 1 .. 60;
    is $nginx->request("/t/$deep/$_")->{status}, 200, 'it runs' for 1 .. 60;
    $nginx->write("tenants/$deep/$_.lua", script('first')) for 61 .. 120;
    my ($status, $reply) = $nginx->publish;
    is $status, 200, 'published' or diag explain $reply;
    is script_answers($nginx, "/t/$deep/$_"), '200 first', "$_ runs" for 1, 60, 61, 120;
    $nginx->write('lua/app.lua', app(2) . ' -- ' . 'x' x 200_000);
    system('rm', '-r', "$nginx->{root}/tenants/" . 'd' x 200) == 0 or die;
    ($status, $reply) = $nginx->publish;
    is $status, 200, 'all of them go while the operator deploys' or diag explain $reply;
    is $nginx->answers('/app'), 2, 'in all workers';
    is script_answers($nginx, "/t/$deep/$_"), 404, "$_ is gone" for 1, 60, 61, 120;
    $nginx->stop;
};

subtest 'hotlua_watch sees scripts' => sub {
    my $nginx = start(http => 'hotlua_watch on;');
    $nginx->wait_for('the watch', sub { $nginx->error_log =~ /this worker watches/ });
    is script_answers($nginx, '/t/a'), '200 first', 'before';
    $nginx->write('tenants/a.lua', script('second'));
    $nginx->wait_for('the change', sub { script_answers($nginx, '/t/a') eq '200 second' });
    $nginx->write('tenants/a.lua', 'not ( Lua');
    $nginx->write('lua/app.lua', app(2));
    $nginx->wait_for('the module beside a broken script', sub { $nginx->answers('/app') eq '2' });
    my ($last) = @{ ($nginx->control(GET => 'generations'))[1] };
    is $last->{state}, 'active', 'nothing was rejected';
    unlink "$nginx->{root}/tenants/a.lua" or die $!;
    $nginx->wait_for('the removal', sub { script_answers($nginx, '/t/a') eq '404' });
    pass 'a removed script is gone';
    $nginx->stop;
};

subtest 'files without variables, and without the code cache' => sub {
    my $nginx = start(
        files => { 'scripts/one.lua' => script('first'), 'lua/two.lua' => script('first') },
        server => <<'CONF',
            location = /one { content_by_sandbox_file tenants %ROOT%/scripts/one.lua; }
            location = /two { content_by_sandbox_file tenants %ROOT%/lua/two.lua; }
            location ~ ^/fresh/(.+)$ { lua_code_cache off; content_by_sandbox_file tenants %ROOT%/tenants/$1.lua; }
CONF
    );
    is script_answers($nginx, $_), '200 first', $_ for qw(/one /two /fresh/a);
    is $nginx->request('/lua/two')->{status}, 404, 'it is no handler';
    like $nginx->answers('/require?module=two'), qr/refused: the file is a sandboxed script/, 'and no module';
    $nginx->write($_, script('second')) for qw(scripts/one.lua lua/two.lua tenants/a.lua);
    is script_answers($nginx, $_), '200 first', "$_: as the generation has it" for qw(/one /two);
    is script_answers($nginx, '/fresh/a'), '200 second', 'as the disk has it';
    is script_answers($nginx, '/fresh/none'), 404, 'not there';
    is_deeply +($nginx->publish)[1]{changed}, ['two.lua', "$nginx->{root}/scripts/one.lua", 'a.lua'], 'published';
    is script_answers($nginx, $_), '200 second', $_ for qw(/one /two);
    $nginx->stop;
};

# What nginx -t says of a configuration: (ok, text).
sub tested {
    my ($nginx, $http, $server) = @_;
    my $root = $nginx->{root};
    my $modules = join '', map { "load_module $_;\n" } split ' ', $ENV{TEST_NGINX_LOAD_MODULES} // '';
    s/%ROOT%/$root/g for $http, $server;
    $nginx->write('test.conf', "$modules events {} http { hotlua_sandbox tenants { allow ngx.print; } $http server { $server } }");
    my ($binary) = @{ $nginx->{nginx} };
    my $said = qx($binary -p $root/ -c test.conf -g 'pid logs/test.pid;' -t 2>&1);
    return ($? == 0, $said);
}

subtest 'nginx -t' => sub {
    my $nginx = HotLua::Nginx->new(
        files => { 'code/a.lua' => 'return 1', 'code/tenants/x.lua' => 'return 1', 'away/y.lua' => 'return 1' },
        links => { current => 'code', 'code/link.lua' => 'tenants/x.lua' },
    );
    my $lua = 'location ~ ^/l/(\w+)$ { content_by_lua_file %ROOT%/code/$1.lua; }';
    my $sandbox = sub { my ($path) = @_; return "location ~ ^/s/(\\w+)\$ { content_by_sandbox_file tenants %ROOT%/$path; }" };
    my $is = qr/\[emerg\] .*"content_by_sandbox_file" in .*test\.conf:2 makes every file below .* is the code root .* for instance "content_by_sandbox_file tenants .*\/tenants\/\$1\.lua"/;
    my $holds = qr/\[emerg\].* holds the code root/;
    my $runs = qr/would run a sandboxed script as trusted code/;
    for (
        ['apart', 'hotlua_root %ROOT%/code;', $sandbox->('away/$1.lua'), undef],
        ['strictly inside', 'hotlua_root %ROOT%/code;', $sandbox->('code/tenants/$1.lua'), undef],
        ['inside a derived one', '', $lua . $sandbox->('code/tenants/$1.lua'), undef],
        ['no trusted code at all', '', $sandbox->('code/$1.lua'), undef],
        ['a given root', 'hotlua_root %ROOT%/code;', $sandbox->('code/$1.lua'), $is],
        ['by another name', 'hotlua_root %ROOT%/code;', $sandbox->('current/$1.lua'), $is],
        ['a derived root', '', $lua . $sandbox->('code/$1.lua'), $is],
        ['one of package.path', 'lua_package_path "%ROOT%/code/?.lua;;";', $sandbox->('code/$1.lua'), $is],
        ['around a given root', 'hotlua_root %ROOT%/code;', $sandbox->('$1.lua'), $holds],
        ['around a derived one', '', $lua . $sandbox->('$1/x.lua'), $holds],
        ['a static handler', 'hotlua_root %ROOT%/code;',
            'location /h { content_by_lua_file %ROOT%/code/tenants/x.lua; }' . $sandbox->('code/tenants/$1.lua'), $runs],
        ['by a symlink', 'hotlua_root %ROOT%/code;',
            'location /h { content_by_lua_file %ROOT%/code/link.lua; }' . $sandbox->('code/tenants/$1.lua'), $runs],
        ['init', 'hotlua_root %ROOT%/code; init_by_lua_file %ROOT%/away/y.lua;', $sandbox->('away/$1.lua'),
            qr/"init_by_lua_file .*y\.lua" would run a sandboxed script/],
        ['init_worker', 'hotlua_root %ROOT%/code; init_worker_by_lua_file %ROOT%/away/y.lua;', $sandbox->('away/$1.lua'), $runs],
        ['the check', 'hotlua_root %ROOT%/code; hotlua_check %ROOT%/away/y.lua;', $sandbox->('away/$1.lua'),
            qr/"hotlua_check .*y\.lua" would run a sandboxed script/],
        ['C libraries', 'hotlua_root %ROOT%/code; lua_package_cpath "%ROOT%/away/lib/?.so;;";', $sandbox->('away/$1.lua'),
            qr/"lua_package_cpath" would load C libraries/],
        ['one file for both', 'hotlua_root %ROOT%/code;',
            'location /h { content_by_lua_file %ROOT%/away/y.lua; }' . $sandbox->('away/y.lua'), $runs],
        ['one file beside', 'hotlua_root %ROOT%/code;',
            'location /h { content_by_lua_file %ROOT%/code/a.lua; }' . $sandbox->('code/tenants/x.lua'), undef],
    ) {
        my ($name, $http, $server, $want) = @$_;
        my ($ok, $said) = tested($nginx, $http, $server);
        if ($want) {
            ok !$ok, "$name: refused";
            like $said, $want, "$name: says why";
        } else {
            ok $ok, "$name: taken" or diag $said;
        }
    }
    # Too much for the zone.
    $nginx->write("away/$_.lua", '-- ' . 'x' x 300_000) for 1 .. 3;
    my ($ok, $said) = tested($nginx, 'hotlua_root %ROOT%/code; hotlua_zone 1m;', $sandbox->('away/$1.lua'));
    ok $ok, 'more scripts than fit are no error' or diag $said;
    like $said, qr/\[warn\] .*the directory ".*away" of content_by_sandbox_file does not fit hotlua_zone/, 'but a warning';
    $nginx->write("code/tenants/$_.lua", '-- ' . 'x' x 300_000) for 1 .. 3;
    ($ok, $said) = tested($nginx, 'hotlua_root %ROOT%/code; hotlua_zone 1m;', $sandbox->('code/tenants/$1.lua'));
    ok $ok, 'nor inside of a code root' or diag $said;
    like $said, qr/\[warn\] .*the directory ".*code\/tenants" of content_by_sandbox_file/, 'but a warning';
    $nginx->stop;
};

done_testing;
