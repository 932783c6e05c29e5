# hotlua_watch: each way in which files come to change on disk is published, whole and by itself.
use strict;
use warnings;
use lib 't/lib';

use File::Path qw(make_path remove_tree);
use IO::Handle;
use Test::More;

use HotLua::Nginx;

my $APP = 'local base = require "base" return { text = "app of " .. base.version }';

sub base { return 'return { version = "' . $_[0] . '" }' }

# A request of /hold has its own generation until the file marks/go.NAME is there.
my $SERVER = <<'CONF';
    location = /app { content_by_lua_block { ngx.say(ngx.var.pid) ngx.print(require("app").text) } }
    location = /other { content_by_lua_block { ngx.say(ngx.var.pid) ngx.print(require("other").version) } }
    location ~ ^/module/(\w+)$ {
        set $module $1;
        content_by_lua_block {
            local ok, module = pcall(require, ngx.var.module)
            ngx.say(ngx.var.pid) ngx.print(ok and module.version or "none")
        }
    }
    location ~ ^/pages/([\w/]+)$ { content_by_lua_file %ROOT%/lua/$1.lua; }
    location = /hold {
        content_by_lua_block {
            local before = require("base").version
            io.open("%ROOT%/marks/held", "w"):close()
            while not io.open("%ROOT%/marks/go") do ngx.sleep(0.005) end
            ngx.print(before, " ", require("base").version)
        }
    }
CONF

sub start {
    my (%option) = @_;
    return HotLua::Nginx->new(
        http => 'lua_package_path "%ROOT%/lua/?.lua;;"; hotlua_root %ROOT%/lua; hotlua_watch on; '
            . ($option{http} // ''),
        server => $SERVER . ($option{server} // ''),
        files => { 'lua/base.lua' => base('one'), 'lua/app.lua' => $APP, 'lua/other.lua' => base('one'), %{ $option{files} // {} } },
    );
}

# The workers that say in the log that they watch, in that order.
sub watchers { my ($nginx) = @_; return $nginx->error_log =~ /\[notice\] (\d+)#\d+: this worker watches the code roots/g }

sub becomes {
    my ($nginx, $path, $want, $what) = @_;
    $nginx->wait_for("$path to become $want", sub { $nginx->answers($path) eq $want });
    pass $what;
    return;
}

sub generations { my ($nginx) = @_; return @{ ($nginx->control(GET => 'generations'))[1] } }

# What was published or rejected since a generation, newest first.
sub since { my ($nginx, $number) = @_; return grep { $_->{generation} > $number } generations($nginx) }

# Waits until the watching worker has judged the whole disk as it is now, by a file of its own.
my $witness = 0;
sub witness {
    my ($nginx) = @_;
    $witness++;
    $nginx->write('lua/witness.lua', base($witness));
    $nginx->wait_for("witness $witness", sub { $nginx->answers('/module/witness') eq $witness });
    return;
}

my $nginx = start();
is $nginx->answers('/app'), 'app of one', 'both workers have the first version';
$nginx->wait_for('a worker to watch', sub { watchers($nginx) });

subtest 'a file that is renamed over' => sub {
    my $before = $nginx->status->{generation};
    $nginx->write('lua/base.lua', base('two'));
    becomes($nginx, '/app', 'app of two', 'is published with what requires it');
    my @new = since($nginx, $before);
    is @new, 1, 'as one generation';
    is $new[0]{actor}, 'watch', 'by the watcher';
    is_deeply $new[0]{changed}, ['base.lua'], 'with what changed';
    is_deeply [sort @{ $new[0]{affected} }], ['app', 'base'], 'and what it affected';
};

subtest 'a file that is written while requests ask' => sub {
    my $before = $nginx->status->{generation};
    open my $file, '>', "$nginx->{root}/lua/base.lua" or die "base.lua: $!";
    $file->autoflush(1);
    my %seen;
    # Each part is Lua that would load. Between them is more time than hotlua_settle.
    for my $part ("local version = 'half' ", "local x = { version = version } ", "do return { version = 'three' } end ") {
        print $file $part;
        my $end = Time::HiRes::time() + 0.15;
        while (Time::HiRes::time() < $end) { $seen{ $nginx->get('/app') =~ s/^\d+\n//r }++ }
    }
    is_deeply [keys %seen], ['app of two'], 'keeps its version as long as it is open';
    is_deeply [since($nginx, $before)], [], 'nothing was published or rejected';
    close $file;
    becomes($nginx, '/app', 'app of three', 'and is published once it is closed');
    is scalar(since($nginx, $before)), 1, 'as one generation';
};

subtest 'files that are copied under temporary names, as rsync does' => sub {
    my $before = $nginx->status->{generation};
    if (grep { -x "$_/rsync" } split /:/, $ENV{PATH}) {
        $nginx->write('source/base.lua', base('four'));
        $nginx->write('source/other.lua', base('four'));
        is system('rsync', '-a', "$nginx->{root}/source/", "$nginx->{root}/lua/"), 0, 'by rsync';
    } else {
        for my $name ('base', 'other') {
            open my $file, '>', "$nginx->{root}/lua/.$name.lua.Xy3aBc" or die "$name: $!";
            print $file base('four');
            close $file;
        }
        rename "$nginx->{root}/lua/.$_.lua.Xy3aBc", "$nginx->{root}/lua/$_.lua" or die "$_: $!" for 'base', 'other';
    }
    becomes($nginx, '/app', 'app of four', 'one is published');
    becomes($nginx, '/other', 'four', 'the other too');
    my %changed = map { $_ => 1 } map { @{ $_->{changed} } } since($nginx, $before);
    is_deeply [sort keys %changed], ['base.lua', 'other.lua'], 'no temporary name was taken for a file';
};

subtest 'a new directory with files' => sub {
    my $before = $nginx->status->{generation};
    make_path("$nginx->{root}/stage/deep/er");
    $nginx->write("stage/deep/$_.lua", 'ngx.say(ngx.var.pid) ngx.print("first")') for 'page', 'er/page';
    rename "$nginx->{root}/stage/deep", "$nginx->{root}/lua/deep" or die "deep: $!";
    $nginx->wait_for('it to be published', sub { grep { "@{ $_->{changed} }" =~ m{deep/er/page} } since($nginx, $before) });
    is $nginx->answers("/pages/$_"), 'first', "$_ is there" for 'deep/page', 'deep/er/page';
    $nginx->write('lua/deep/er/page.lua', 'ngx.say(ngx.var.pid) ngx.print("second")');
    becomes($nginx, '/pages/deep/er/page', 'second', 'what changes in it later is published');
    remove_tree("$nginx->{root}/lua/deep");
    $nginx->wait_for('it to be gone', sub { $nginx->request('/pages/deep/page')->{status} == 404 });
    is $nginx->request('/pages/deep/er/page')->{status}, 404, 'its removal is published';
};

subtest 'a deleted file' => sub {
    $nginx->write('lua/single.lua', base('there'));
    becomes($nginx, '/module/single', 'there', 'it was there');
    unlink "$nginx->{root}/lua/single.lua" or die "single.lua: $!";
    becomes($nginx, '/module/single', 'none', 'its module is gone from both workers');
};

subtest 'a broken file' => sub {
    my $before = $nginx->status->{generation};
    my $rejected = sub {
        my ($error, $what) = @_;
        $nginx->wait_for($what, sub { ((generations($nginx))[0]{error} // '') =~ $error && ($nginx->status->{last_error} // '') =~ $error });
        is +(generations($nginx))[0]{state}, 'rejected', $what;
    };
    $nginx->write('lua/base.lua', "return {\n version = = }");
    $rejected->(qr/base\.lua:2:/, 'one that does not compile is rejected');
    is $nginx->answers('/app'), 'app of four', 'the last good goes on';
    $nginx->write('lua/base.lua', 'error("no way")');
    $rejected->(qr/no way/, 'one that raises is rejected');
    is $nginx->answers('/app'), 'app of four', 'the last good goes on';
    is $nginx->status->{generation}, $before, 'the generation is the same';
    $nginx->write('lua/base.lua', base('five'));
    becomes($nginx, '/app', 'app of five', 'it is published once it is repaired');
    is $nginx->status->{last_error}, undef, 'and the status is clean';
};

subtest 'a rollback' => sub {
    $nginx->write('lua/base.lua', base('six'));
    becomes($nginx, '/app', 'app of six', 'a newer version');
    my ($status, $reply) = $nginx->rollback;
    is $status, 200, 'is taken back' or diag explain $reply;
    is $nginx->answers('/app'), 'app of five', 'in both workers';
    witness($nginx);
    is $nginx->answers('/app'), 'app of five', 'an unrelated change leaves that so';
    $nginx->write('lua/base.lua', base('six'));
    witness($nginx);
    is $nginx->answers('/app'), 'app of five', 'so does writing again what was taken back';
    $nginx->write('lua/base.lua', base('seven'));
    becomes($nginx, '/app', 'app of seven', 'it ends when the file changes');
};

subtest 'rollbacks one after the other' => sub {
    my %generation = (seven => $nginx->status->{generation});
    for my $version ('eight', 'nine') {
        $nginx->write('lua/base.lua', base($version));
        becomes($nginx, '/app', "app of $version", "version $version");
        $generation{$version} = $nginx->status->{generation};
    }
    is +($nginx->rollback("to=$generation{$_}"))[0], 200, "back to $_" for 'eight', 'seven';
    witness($nginx);
    is $nginx->answers('/app'), 'app of seven', 'an unrelated change leaves the last one so';
    is +($nginx->rollback("to=$generation{nine}"))[0], 200, 'forth to what the disk has' ;
    is $nginx->answers('/app'), 'app of nine', 'in both workers';
    $nginx->write('lua/base.lua', base('seven'));
    becomes($nginx, '/app', 'app of seven', 'an older text that is written to the disk is a change');
};

subtest 'a rollback to where it was rolled back to' => sub {
    witness($nginx);
    my $first = $nginx->status->{generation};
    $nginx->write('lua/base.lua', base('ten'));
    $nginx->write('lua/comes.lua', base('here'));
    becomes($nginx, '/app', 'app of ten', 'a changed file');
    $nginx->wait_for('a new file', sub { grep { "@{ $_->{changed} }" =~ /comes/ } since($nginx, $first) });
    for my $time ('once', 'twice') {
        is +($nginx->rollback("to=$first"))[0], 200, "back $time";
        witness($nginx) if $time eq 'once';
    }
    is $nginx->answers('/app'), 'app of seven', 'the file is as it was';
    is $nginx->answers('/module/comes'), 'none', 'the new one is not there';
    witness($nginx);
    is $nginx->answers('/app'), 'app of seven', 'an unrelated change leaves the one so';
    is $nginx->answers('/module/comes'), 'none', 'and the other';
    is +($nginx->publish)[0], 200, 'a publish';
    is $nginx->answers('/app') . ' ' . $nginx->answers('/module/comes'), 'app of ten here', 'takes what the disk has';
};

subtest 'the watching worker is killed' => sub {
    my ($dead) = reverse watchers($nginx);
    kill KILL => $dead;
    $nginx->write('lua/base.lua', base('while nobody watches'));
    $nginx->wait_for('another to watch', sub { (watchers($nginx))[-1] != $dead });
    becomes($nginx, '/app', 'app of while nobody watches', 'what changed meanwhile is published');
    $nginx->write('lua/base.lua', base('while another does'));
    becomes($nginx, '/app', 'app of while another does', 'so is what changes later');
    is scalar(grep { $_ == (watchers($nginx))[-1] } $nginx->worker_pids), 1, 'by a live worker';
};

# The inotify instances of a process.
sub inotify { my ($pid) = @_; return grep { (readlink // '') =~ /inotify/ } glob "/proc/$pid/fd/*" }

subtest 'nginx is reloaded' => sub {
    my ($old) = reverse watchers($nginx);
    ok inotify($old), 'the watching worker has inotify';
    # Requests in flight keep both old workers.
    my @held = map { $nginx->begin('/hold') } 1 .. 8;
    $nginx->wait_for('a request to be held', sub { -e "$nginx->{root}/marks/held" });
    $nginx->reload;
    $nginx->wait_for('a new worker to watch', sub { (watchers($nginx))[-1] != $old });
    my ($new) = reverse watchers($nginx);
    is scalar(grep { $_ == $new } $nginx->worker_pids), 1, 'a new worker watches';
    $nginx->wait_for('the old one to stop', sub { !inotify($old) });
    pass 'the old one does not any more';
    my $before = $nginx->status->{generation};
    $nginx->write('lua/base.lua', base('reloaded'));
    becomes($nginx, '/app', 'app of reloaded', 'a change is published');
    is scalar(since($nginx, $before)), 1, 'once';
    open my $go, '>', "$nginx->{root}/marks/go" or die "go: $!";
    my $kept = 'while another does';
    is $nginx->finish($_), "$kept $kept", 'a request from before kept its own' for @held;
};

unlike $nginx->error_log, qr/\[(?:alert|emerg|crit)\](?!.*(?:exited on signal 9|shared memory zone "hotlua" was locked by))/,
    'nothing alarming in the log';
$nginx->stop;

subtest 'a file outside of the roots' => sub {
    my $page = sub { 'ngx.say(ngx.var.pid) ngx.print("' . $_[0] . '")' };
    my $nginx = start(
        server => 'location = /page { content_by_lua_file %ROOT%/elsewhere/page.lua; }',
        files => { 'elsewhere/page.lua' => $page->('first') },
    );
    is $nginx->answers('/page'), 'first', 'the first version';
    $nginx->write('elsewhere/page.lua', $page->('second'));
    becomes($nginx, '/page', 'second', 'is published when it is renamed over');
    open my $file, '>', "$nginx->{root}/elsewhere/page.lua" or die "page.lua: $!";
    print $file $page->('third');
    close $file;
    becomes($nginx, '/page', 'third', 'and when it is written');
    $nginx->write('elsewhere/neighbour.lua', 'error(');
    $nginx->write('lua/base.lua', base('two'));
    becomes($nginx, '/module/base', 'two', 'its neighbours are nobody\'s concern');
    $nginx->stop;
};

subtest 'a symlink that is switched' => sub {
    my $nginx = HotLua::Nginx->new(
        http => 'lua_package_path "%ROOT%/home/current/?.lua;;"; hotlua_root %ROOT%/home/current; hotlua_watch on;',
        server => $SERVER,
        files => { 'home/releases/1/base.lua' => base('one'), 'home/releases/1/app.lua' => $APP },
        links => { 'home/current' => 'releases/1' },
    );
    my $switch = sub {
        my ($release) = @_;
        symlink "releases/$release", "$nginx->{root}/home/next" or die "next: $!";
        rename "$nginx->{root}/home/next", "$nginx->{root}/home/current" or die "current: $!";
    };
    is $nginx->answers('/app'), 'app of one', 'the first release';
    $nginx->write('home/releases/2/base.lua', base('two'));
    $nginx->write('home/releases/2/app.lua', $APP);
    $nginx->write('home/releases/2/added.lua', base('added'));
    is $nginx->answers('/app'), 'app of one', 'another that is not switched to is nothing';
    my $before = $nginx->status->{generation};
    $switch->(2);
    becomes($nginx, '/app', 'app of two', 'the second is published when it is switched to');
    is $nginx->answers('/module/added'), 'added', 'with what it has more';
    my ($new) = since($nginx, $before);
    is_deeply [sort @{ $new->{changed} }], ['added.lua', 'base.lua'], 'what is the same in both has not changed';
    $nginx->write('home/releases/2/base.lua', base('three'));
    becomes($nginx, '/app', 'app of three', 'what changes in it is published');
    $switch->(1);
    becomes($nginx, '/app', 'app of one', 'the first is, when it is switched back to');
    is $nginx->answers('/module/added'), 'none', 'without what it has not';
    $nginx->stop;
};

subtest 'git checkout of 500 files' => sub {
    my $count = 500;
    # A machine under load pauses among the files.
    my $nginx = start(http => 'hotlua_settle 500ms;', server => <<'CONF', files => { 'lua/list.lua' => 'return {}' });
        location = /all {
            content_by_lua_block {
                local list, seen, versions = require("list"), {}, {}
                for _, name in ipairs(list) do
                    local version = require(name).version
                    if not seen[version] then seen[version] = true versions[#versions + 1] = version end
                end
                ngx.say(ngx.var.pid) ngx.print(#list, " of ", table.concat(versions, " and "))
            }
        }
CONF
    my $git = sub {
        local $ENV{GIT_CONFIG_NOSYSTEM} = 1;
        system('git', '-C', "$nginx->{root}/lua", '-c', 'user.name=t', '-c', 'user.email=t@localhost', '-c', 'gc.auto=0', @_) == 0
            or die "git @_ failed";
    };
    # Each branch has files that the other one has not.
    my $make = sub {
        my ($branch, @numbers) = @_;
        for my $number (@numbers) {
            my ($module, $directory) = ("m$number", 'd' . $number % 20);
            $nginx->write("lua/$directory/$module.lua", base($branch));
        }
        my $list = join ', ', map { my $number = $_; '"d' . $number % 20 . ".m$number\"" } @numbers;
        $nginx->write('lua/list.lua', "return { $list }");
        $git->('add', '-A', '.');
        $git->('commit', '-q', '-m', $branch);
    };
    $git->('init', '-q');
    $git->('checkout', '-q', '-b', 'first');
    $make->('first', 1 .. $count);
    $git->('checkout', '-q', '-b', 'second');
    unlink glob "$nginx->{root}/lua/d7/*.lua";
    $make->('second', grep({ $_ % 20 != 7 } 1 .. $count), $count + 1 .. $count + 25);
    my $all = '500 of ';
    becomes($nginx, '/all', $all . 'second', 'the second branch');
    my %seen;
    for my $branch ('first', 'second', 'first') {
        my $before = $nginx->status->{generation};
        my $pid = fork // die "fork: $!";
        if (!$pid) {
            delete $nginx->{pid};
            my $done = eval { $git->('checkout', '-q', $branch); 1 };
            POSIX::_exit($done ? 0 : 1);
        }
        $nginx->wait_for("branch $branch", sub { my $text = $nginx->get('/all') =~ s/^\d+\n//r; $seen{$text}++; $text eq "$all$branch" });
        waitpid $pid, 0;
        is $?, 0, "git checkout $branch";
        is $nginx->answers('/all'), "$all$branch", 'both workers have it';
        my @new = since($nginx, $before);
        is_deeply [grep { $_->{state} eq 'rejected' } @new], [], 'nothing was rejected';
        cmp_ok scalar(@new), '<=', 3, 'by ' . @new . ' generation(s)';
    }
    is_deeply [sort keys %seen], [map {"$all$_"} 'first', 'second'], 'no answer mixed them';
    $nginx->stop;
};

done_testing;
